"""The words of a `preparation:` in a YAML file, read as numbers, choices and names; the file is not trusted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, TypeGuard

from brew.errors import DataError, Place, did_you_mean


class Words:
    """Names and values of a mapping; `place` is the file's. Every method raises DataError for what cannot be meant."""

    def __init__(self, words: object, place: Place | None = None, where: str = "preparation") -> None:
        self.place, self.where = place, where
        if not isinstance(words, Mapping):
            self.wrong(words, "names and values")
        self._words = words

    def wrong(self, value: object, expected: str, name: str = "") -> NoReturn:
        """The error for a value."""
        where = f"{self.where}: {name}" if name else self.where
        shown = repr(value)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        raise DataError(f"{where} is {shown}; {expected} is expected", place=self.place)

    def value(self, name: str) -> Any:
        """Whatever stands there; None where nothing does."""
        return self._words.get(name)

    def whole(self, name: str, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong(value, f"a whole number from {least} to {most}", name)
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self.value(name)
        if not _is_number(value):
            self.wrong(value, "a number", name)
        return float(value)

    def flag(self, name: str) -> bool:
        """true or false."""
        value = self.value(name)
        if not isinstance(value, bool):
            self.wrong(value, "true or false", name)
        return value

    def text(self, name: str) -> str:
        """A text."""
        value = self.value(name)
        if not isinstance(value, str):
            self.wrong(value, "a text", name)
        return value

    def choice(self, name: str, choices: Iterable[str]) -> str:
        """One of `choices`."""
        value, known = self.value(name), tuple(choices)
        if value not in known:
            near = did_you_mean(str(value), known)
            self.wrong(value, " or ".join(known) + (f" ({near})" if near else ""), name)
        return str(value)

    def numbers(self, name: str, counts: Iterable[int] | None = None) -> tuple[float, ...]:
        """Finite numbers, as many as one of `counts`."""
        values = self.value(name)
        if not isinstance(values, list) or not all(_is_number(value) for value in values):
            self.wrong(values, "a list of numbers", name)
        allowed = None if counts is None else tuple(counts)
        if allowed is not None and len(values) not in allowed:
            self.wrong(values, f"a list of {' or '.join(map(str, allowed))} numbers", name)
        return tuple(float(value) for value in values)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, no two alike."""
        values = self.value(name)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self.wrong(values, "a list of texts", name)
        if len(set(values)) != len(values):
            self.wrong(values, "a list without repetitions", name)
        return tuple(values)

    def parts(self, name: str) -> tuple[Words, ...]:
        """A list of mappings."""
        values = self.value(name)
        if not isinstance(values, list):
            self.wrong(values, "a list", name)
        return tuple(Words(value, self.place, f"{self.where}: {name}") for value in values)


def _is_number(value: object) -> TypeGuard[int | float]:
    try:
        return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False
