"""Rows of a table for a net: numbers standardised, names as ones among zeros or as numbers for an Embed layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError, did_you_mean
from brew.layer import Shape

from .columns import DATE, NUMBER, is_missing, value_of
from .preparation import DATA
from .standard import Standard
from .words import Words

Array = npt.NDArray[Any]
IDS = "ids"
CODES = "onehot", "ids"


def is_absent(cell: object) -> bool:
    """Whether a value is missing: None, NaN, or a text that says so."""
    return cell is None or (is_missing(cell) if isinstance(cell, str) else isinstance(cell, float) and cell != cell)


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A column of numbers, or of dates as days since 1970-01-01; a missing value becomes the mean, which is 0."""

    title: str
    dates: bool
    standard: Standard

    def value(self, cell: object, *, comma: bool) -> float:
        """The standardised value of a cell; UsageError for what is no number."""
        if is_absent(cell):
            return self.standard.mean[0] if self.standard.mean else 0.0
        if isinstance(cell, str) or self.dates:
            value = value_of(str(cell), DATE if self.dates else NUMBER, comma=comma)
        else:
            value = _number(cell)
        if value is None:
            what = "a date as 2024-12-31" if self.dates else "a number"
            raise UsageError(f'"{self.title}" is {cell!r}; {what} is expected')
        return value


@dataclass(frozen=True)
class NameColumn:
    """A column of names, those of the part train; `number` 0 is any other name, and a missing one."""

    title: str
    names: tuple[str, ...]

    def number(self, cell: object) -> int:
        """From 1 on in the order of `names`."""
        return 0 if is_absent(cell) else self._numbers.get(str(cell).strip(), 0)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names, 1)}


@dataclass(frozen=True, slots=True)
class TablePreparation:
    """What becomes of a row.

    numbers  standardised; with `marks`, each is followed by 1 where it is missing, else 0
    names    as `code` says: "onehot", zeros and a 1 (only zeros for names that train does not have); "ids", whole
             numbers for one Embed layer: each column's begin behind those of the column before it
    comma    numbers in text have decimal commas
    """

    kind: ClassVar[str] = "table"

    numbers: tuple[NumberColumn, ...]
    names: tuple[NameColumn, ...]
    code: str
    marks: bool
    comma: bool

    takes: ClassVar[str] = "a mapping from the titles of columns to values; None or a missing title is a missing value"

    @property
    def embedded(self) -> int:
        """How many ids there are: input_dim of the Embed layer."""
        return sum(len(column.names) + 1 for column in self.names)

    @property
    def shapes(self) -> Mapping[str, Shape]:
        """Of the numbers with the names behind them; of names as ids, a value of its own where there are numbers."""
        numbers = len(self.numbers) * (1 + self.marks)
        if self.code == "onehot" or not self.names:
            return {DATA: (numbers + sum(len(column.names) for column in self.names),)}
        ids = (len(self.names),)
        return {DATA: (numbers,), IDS: ids} if numbers else {DATA: ids}

    def words(self) -> dict[str, Any]:
        numbers = [
            {"title": c.title, "dates": c.dates, **c.standard.words()} for c in self.numbers
        ]  # fmt: skip
        names = [{"title": c.title, "names": list(c.names)} for c in self.names]
        return {"kind": self.kind, "numbers": numbers, "names": names, "code": self.code, "marks": self.marks,
                "comma": self.comma}  # fmt: skip

    @classmethod
    def of_words(cls, words: Words) -> TablePreparation:
        """What `words` gave; DataError."""
        numbers = tuple(
            NumberColumn(part.text("title"), part.flag("dates"), Standard.of_words(part, 1))
            for part in words.parts("numbers")
        )
        names = tuple(NameColumn(part.text("title"), part.texts("names")) for part in words.parts("names"))
        if not numbers and not names:
            words.wrong([], "a column or more", "numbers")
        return cls(numbers, names, words.choice("code", CODES), words.flag("marks"), words.flag("comma"))

    def prepare(self, thing: object) -> dict[str, Array]:
        if not isinstance(thing, Mapping):
            raise UsageError(f"a {type(thing).__name__} is no row", hint=f"it takes {self.takes}")
        titles = [*(c.title for c in self.numbers), *(c.title for c in self.names)]
        if not any(title in thing for title in titles):
            near = next((did_you_mean(str(key), titles) for key in thing), None)
            raise UsageError(f"the row has none of the columns {', '.join(titles)}", hint=near)
        return self.values([thing.get(c.title) for c in self.numbers], [thing.get(c.title) for c in self.names])

    def values(self, numbers: Sequence[object], names: Sequence[object]) -> dict[str, Array]:
        """The values of a row, by its cells in the order of the columns."""
        pieces: list[float] = []
        for column, cell in zip(self.numbers, numbers, strict=True):
            value = column.value(cell, comma=self.comma)
            pieces.append(float(column.standard(np.array([value]))[0]))
            if self.marks:
                pieces.append(float(is_absent(cell)))
        codes = [column.number(cell) for column, cell in zip(self.names, names, strict=True)]
        if self.code == "ids" and self.names:
            sizes = np.cumsum([0, *(len(column.names) + 1 for column in self.names)])[:-1]
            ids = (sizes + codes).astype(np.int32)
            return {DATA: np.array(pieces, np.float32), IDS: ids} if pieces else {DATA: ids}
        ones = [np.eye(len(c.names) + 1, dtype=np.float32)[code, 1:] for c, code in zip(self.names, codes, strict=True)]
        return {DATA: np.concatenate([np.array(pieces, np.float32), *ones])}


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if np.isfinite(number) else None
