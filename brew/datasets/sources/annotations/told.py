"""What was odd in a pile, and legal: counted, and told in a sentence for each kind of oddity."""

from __future__ import annotations

_SHOWN = 3  # places in a note


class Told:
    """Notes for the user, each once, with how often it was true and where first."""

    def __init__(self) -> None:
        self._plain: list[str] = []
        self._counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}

    def say(self, sentence: str) -> None:
        """A note that has no places."""
        if sentence not in self._plain:
            self._plain.append(sentence)

    def add(self, what: str, where: str) -> None:
        """Count `what`, words in the plural ("boxes cut to their pictures"), at `where`."""
        self._counts[what] = self._counts.get(what, 0) + 1
        places = self._places.setdefault(what, [])
        if len(places) < _SHOWN and where not in places:
            places.append(where)

    def notes(self) -> tuple[str, ...]:
        """All of it, a sentence each."""
        counted = []
        for what, count in self._counts.items():
            shown = ", ".join(self._places[what])
            counted.append(f"{what}: {count}, the first in {shown}" if count > 1 else f"{what}: {count}, in {shown}")
        return (*self._plain, *counted)
