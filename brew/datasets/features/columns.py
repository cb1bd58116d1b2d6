"""The columns of a table: what stands in their cells (numbers, dates, names), told or found by looking at all."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from brew.datasets.sources.tables import Table
from brew.errors import DataError, Place

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "nil", "missing", "#n/a"})
NUMBER, DATE, NAMES = "numbers", "dates", "names"
_COMMA = re.compile(r"[+-]?\d+(\.\d{3})*,\d+|[+-]?\d+,\d+", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
_FEW = 0.1  # a column with less than this share of other cells is one of numbers, with mistakes in it
_SHOWN = 3
_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its number in the table, its title, and what stands in its cells (NUMBER, DATE or NAMES)."""

    number: int
    title: str
    holds: str


def is_missing(cell: str) -> bool:
    """Whether a cell says that a value is missing."""
    return cell.strip().lower() in MISSING


def number_of(cell: str, *, comma: bool = False) -> float | None:
    """The finite number in a cell, with a decimal `comma` where that is said; None where it is none.

    >>> number_of("1e3"), number_of("3,5", comma=True), number_of("1.234,5", comma=True), number_of("x")
    (1000.0, 3.5, 1234.5, None)
    """
    text = cell.strip()
    if comma and "," in text:
        text = text.replace(".", "").replace(",", ".")
    try:
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def days_of(cell: str) -> float | None:
    """The days from 1970-01-01 to a date as ISO 8601 has it, with its time where it has one; None where it is none.

    >>> days_of("1970-01-02"), days_of("1970-01-01 12:00"), days_of("02.01.1970")
    (1.0, 0.5, None)
    """
    text = cell.strip()
    if not _DATE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() / _DAY


def value_of(cell: str, holds: str, *, comma: bool = False) -> float | None:
    """The value of a cell of numbers or dates; None where it is another one."""
    return days_of(cell) if holds == DATE else number_of(cell, comma=comma)


def cells_of(table: Table, number: int) -> list[str]:
    """All cells of a column; "" where a line is too short."""
    return [row.cells[number] if number < len(row.cells) else "" for row in table.rows]


def found(table: Table, number: int, *, comma: bool = False) -> Column:
    """What stands in a column. DataError where hardly any cell is something else, which is a mistake to be settled."""
    title = table.title(number)
    cells = [(cell, row.line) for cell, row in zip(cells_of(table, number), table.rows, strict=True)]
    there = [(cell, line) for cell, line in cells if not is_missing(cell)]
    for holds, value in ((NUMBER, lambda cell: number_of(cell, comma=comma)), (DATE, days_of)):
        odd = [(cell, line) for cell, line in there if value(cell) is None]
        if there and not odd:
            return Column(number, title, holds)
        if there and len(odd) < _FEW * len(there):
            raise _mixed(table, title, holds, odd, len(there))
    if there and not comma and all(number_of(c) is not None or _COMMA.fullmatch(c.strip()) for c, _ in there):
        raise DataError(
            f'the column "{title}" has decimal commas ("{there[0][0]}")', place=Place(str(table.path), there[0][1]),
            hint="--set decimal=comma reads them as numbers",
        )  # fmt: skip
    return Column(number, title, NAMES)


def _mixed(table: Table, title: str, holds: str, odd: Sequence[tuple[str, int]], count: int) -> DataError:
    shown = ", ".join(f'"{cell}" in line {line}' for cell, line in odd[:_SHOWN])
    more = f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
    return DataError(
        f'the column "{title}" holds {holds}, but for {len(odd)} of {count} cells: {shown}{more}',
        place=Place(str(table.path), odd[0][1]),
        hint=f'--set "numbers={title}" counts them as missing, --set "names={title}" takes all as names',
    )


def values(cells: Sequence[str], column: Column, *, comma: bool) -> npt.NDArray[np.float64]:
    """The numbers of the cells of a column, NaN where one is missing or no number."""
    read = (value_of(cell, column.holds, comma=comma) for cell in cells)
    return np.array([math.nan if value is None else value for value in read], np.float64)


def chosen(table: Table, said: Sequence[str], option: str) -> list[int]:
    """The columns that an option names, each once; UsageError, DataError."""
    numbers = [table.column(name) for name in said]
    twice = [table.title(number) for number in numbers if numbers.count(number) > 1]
    if twice:
        raise DataError(f"--set {option}: {twice[0]} is named twice")
    return numbers
