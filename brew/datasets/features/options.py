"""Options of a kind, which come as text: read as numbers, choices and names, or refused with what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from brew.errors import UsageError, did_you_mean

_YES, _NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0")


class Options:
    """The options that a source of `kind` was given, by name. Every method raises UsageError for what cannot be meant.

    A method gives None, or the default, where nothing was said.
    """

    def __init__(self, given: Mapping[str, str], kind: str) -> None:
        self._given, self._kind = given, kind

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def text(self, name: str) -> str | None:
        """As it was written."""
        return self._given.get(name)

    def names(self, name: str) -> tuple[str, ...]:
        """Names with commas between them; () where nothing was said."""
        return tuple(part.strip() for part in self._given.get(name, "").split(",") if part.strip())

    def number(self, name: str, least: float, most: float) -> float | None:
        """A number from `least` to `most`."""
        if name not in self._given:
            return None
        try:
            value = float(self._given[name])
        except ValueError:
            raise self.wrong(name, f"a number from {least:g} to {most:g}") from None
        if not least <= value <= most:
            raise self.wrong(name, f"a number from {least:g} to {most:g}")
        return value

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number from `least` to `most`."""
        if name not in self._given:
            return None
        try:
            value = int(self._given[name])
        except ValueError:
            raise self.wrong(name, f"a whole number from {least} to {most}") from None
        if not least <= value <= most:
            raise self.wrong(name, f"a whole number from {least} to {most}")
        return value

    def choice(self, name: str, choices: Iterable[str], default: str) -> str:
        """One of `choices`."""
        value = self._given.get(name, default).lower()
        known = tuple(choices)
        if value not in known:
            raise self.wrong(name, " or ".join(known), did_you_mean(value, known))
        return value

    def flag(self, name: str, default: bool) -> bool:
        """yes or no."""
        value = self._given.get(name, "yes" if default else "no").lower()
        if value not in (*_YES, *_NO):
            raise self.wrong(name, "yes or no")
        return value in _YES

    def wrong(self, name: str, expected: str, hint: str | None = None) -> UsageError:
        """The error for the value of `name`."""
        text = (
            f'--set {name}={self._given.get(name, "")}: of a source of the kind "{self._kind}" {expected} is expected'
        )
        return UsageError(text, hint=hint)
