"""Several sources as one: classes joined by their names, keys unique."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from brew.errors import UsageError

from .entry import Entry, numbered_key
from .opening import Stored


@dataclass(frozen=True, slots=True)
class Merger:
    """How sources are joined: the classes of all, each source's numbers for them, and whether keys get new numbers."""

    sources: Sequence[Stored]
    names: tuple[str, ...]
    relabel: Sequence[dict[int, int]]
    renumber: bool

    @classmethod
    def of(cls, sources: Sequence[Stored]) -> Merger:
        """UsageError where only some of the sources have names of classes, or one is given twice."""
        paths = [stored.path.resolve() for stored in sources]
        twice = next((stored.path for stored in sources if paths.count(stored.path.resolve()) > 1), None)
        if twice is not None:
            raise UsageError(f"{twice} is given twice")
        named = [stored for stored in sources if stored.names]
        if named and len(named) < len(sources):
            without = next(stored.path for stored in sources if not stored.names)
            raise UsageError(
                f"{without} has no labels.txt, and {named[0].path} has: its numbers may mean other classes",
                hint="write the names of its classes to labels.txt beside it, one a line",
            )
        names = tuple(dict.fromkeys(name for stored in sources for name in stored.names))
        place = {name: number for number, name in enumerate(names)}
        relabel = [{old: place[name] for old, name in enumerate(stored.names)} for stored in sources]
        return cls(sources, names, relabel, not _ascend(sources))

    @property
    def length(self) -> int:
        return sum(stored.length for stored in self.sources)

    @property
    def relabelled(self) -> list[Stored]:
        """The sources whose classes get other numbers."""
        return [
            stored
            for stored, numbers in zip(self.sources, self.relabel, strict=True)
            if any(old != new for old, new in numbers.items())
        ]

    def entries(self) -> Iterator[Entry]:
        """All entries, source after source."""
        number = 0
        for stored, relabel in zip(self.sources, self.relabel, strict=True):
            for entry in stored.scan():
                changed = entry.relabelled(relabel)
                if self.renumber:
                    changed = Entry(numbered_key(number, changed.key), changed.value, changed.row)
                number += 1
                yield changed


def _ascend(sources: Sequence[Stored]) -> bool:
    """Whether the keys of every source stand behind those of the one before it."""
    ends = [(next(stored.pick([0])).key, next(stored.pick([stored.length - 1])).key) for stored in sources]
    return all(last < first for (_, last), (first, _) in pairwise(ends))
