"""What is to be predicted of a row: a class, or one or more values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from brew.datasets.sources.tables import Table
from brew.datasets.sources.trees import class_order
from brew.errors import UsageError

from .columns import NAMES, Column, cells_of, found, is_missing, number_of, value_of
from .options import Options

_USUAL = "label", "class", "target", "category", "y"
_FEW = 20  # whole numbers that are taken for classes
NONE = "none"


@dataclass(frozen=True, slots=True)
class Targets:
    """`columns` that are predicted; `labels`, the classes, where it is one; `comma`: numbers have decimal commas."""

    columns: tuple[Column, ...]
    labels: tuple[str, ...]
    comma: bool
    notes: tuple[str, ...]

    @property
    def titles(self) -> tuple[str, ...]:
        """Of the values that are predicted; () for a class."""
        return () if self.labels else tuple(column.title for column in self.columns)

    def label(self, cells: Sequence[str]) -> int | None:
        """The class of a row; None where values are predicted. ValueError, which says what is wrong."""
        if not self.labels:
            return None
        cell = cells[self.columns[0].number].strip()
        if is_missing(cell):
            raise ValueError(f'its class, "{self.columns[0].title}", is missing')
        return self.labels.index(cell)

    def values(self, cells: Sequence[str]) -> tuple[float, ...]:
        """The values of a row; () for a class. ValueError, which says what is wrong."""
        if self.labels:
            return ()
        read = []
        for column in self.columns:
            value = value_of(cells[column.number], column.holds, comma=self.comma)
            if value is None:
                cell = cells[column.number]
                what = "missing" if is_missing(cell) else f'"{cell}"'
                raise ValueError(f'"{column.title}", which is to be predicted, is {what}')
            read.append(value)
        return tuple(read)


def targets(table: Table, given: Options) -> Targets:
    """The targets that the options `target`, `task` and `decimal` say, or the header; UsageError, DataError."""
    comma = given.choice("decimal", ("point", "comma"), "point") == "comma"
    said = given.names("target")
    if said == (NONE,):
        return Targets((), (), comma, ("nothing is predicted: records have no labels",))
    if not said:
        titles = {title.lower().strip(): title for title in table.header}
        said = tuple(titles[usual] for usual in _USUAL if usual in titles)[:1]
    if not said:
        known = ", ".join(table.header) or f"1 to {table.width}"
        raise UsageError(
            f"{table.path}: which column is to be predicted?", hint=f"--set target=NAME (or none); columns: {known}"
        )
    numbers = [table.column(name) for name in said]
    task = given.choice("task", ("class", "value"), "") if "task" in given else ""
    if task == "class" and len(numbers) > 1:
        raise given.wrong("task", "one target, or task=value,")
    cells = [cell for cell in cells_of(table, numbers[0]) if not is_missing(cell)]
    if task == "class":
        return _classes(Column(numbers[0], table.title(numbers[0]), NAMES), cells, comma, ())
    columns = tuple(found(table, number, comma=comma) for number in numbers)
    names = [column.title for column in columns if column.holds == NAMES]
    if names and (task == "value" or len(columns) > 1):
        raise UsageError(f'"{names[0]}" holds names, which are no values to predict')
    if names:
        return _classes(columns[0], cells, comma, ())
    if not task and len(columns) == 1 and _are_classes(cells):
        note = f'the whole numbers in "{columns[0].title}" are taken for classes (--set task=value: for values)'
        return _classes(columns[0], cells, comma, (note,))
    return Targets(columns, (), comma, ())


def _classes(column: Column, cells: Sequence[str], comma: bool, notes: tuple[str, ...]) -> Targets:
    labels = class_order(cell.strip() for cell in cells)
    if len(labels) < 2:
        shown = f'only "{labels[0]}"' if labels else "nothing"
        raise UsageError(f'"{column.title}", which is to be predicted, holds {shown}')
    return Targets((column,), labels, comma, notes)


def _are_classes(cells: Sequence[str]) -> bool:
    """Whether numbers are few whole ones from 0 on, each of several rows."""
    values = {number_of(cell) for cell in cells}
    whole = all(value is not None and value >= 0 and value.is_integer() for value in values)
    return whole and len(values) <= min(_FEW, len(cells) // 2) and all(cell.strip().isdecimal() for cell in cells)
