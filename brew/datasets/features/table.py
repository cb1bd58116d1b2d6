"""Tables: a row is a record; columns of numbers, dates and names become its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from brew.datasets.sources.items import Content, Item, Part, Pile, Problem
from brew.datasets.sources.tables import NAMED, Row, Table, read_table
from brew.datasets.sources.trees import PARTS, class_order
from brew.errors import DataError, Place, UsageError
from brew.files import regular

from . import columns
from .columns import DATE, NAMES, NUMBER, Column, cells_of, is_missing
from .options import Options
from .standard import measured
from .table_preparation import CODES, NameColumn, NumberColumn, TablePreparation
from .targets import targets

_PART_TITLES = {"part", "split", "subset"}
_MOST_NAMES = 100_000  # of a column
_MANY = 50  # different names, of which a column that has one for every second row has no use


class TableRows(Pile):
    """The rows of a CSV or TSV."""

    kind = "a table"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "target": "the column, or columns with commas between them, that are predicted; none (by its title: label)",
        "task": "class or value (by what stands in the target)",
        "numbers": "columns that hold numbers (found)",
        "names": "columns that hold names (found)",
        "skip": "columns that are left out",
        "code": "how names become numbers: onehot or ids (for an Embed layer); onehot",
        "marks": "whether each number is followed by 1 where it was missing: yes or no; no",
        "decimal": "point or comma; point",
        "header": "whether the first line has titles: yes or no (by what stands below)",
        "part": "the column that says train, val or test",
        "group": "the column of what stays in one part: a customer, a patient",
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        given = Options(options, "table")
        table = read_table(path, header=given.flag("header", True) if "header" in given else None)
        self._targets = targets(table, given)
        self._comma = self._targets.comma
        self.labels, self.target_names = self._targets.labels, self._targets.titles
        part, group = _part_column(table, given), given.text("group")
        beside = {part, None if group is None else table.column(group), *(c.number for c in self._targets.columns)}
        self._columns, notes = _features(table, given, {n for n in beside if n is not None}, comma=self._comma)
        self._prepared = self._empty(given)
        self._rows: dict[str, Row] = {}
        items: list[Item] = []
        problems: list[Problem] = []
        for row in table.rows:
            try:
                items.append(self._item(table, row, part, None if group is None else table.column(group)))
            except ValueError as error:
                problems.append(Problem(f"line{row.line}", str(error)))
        self.items, self.problems, self.notes = items, problems, [*self._targets.notes, *notes]

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is a file called as a table is, with two columns or more."""
        try:
            if path.suffix.lower() not in NAMED or not path.is_file() or b"\0" in regular.head(path, 4096):
                return False
            return read_table(path, first=20).width > 1
        except (OSError, DataError):
            return False

    @property
    def preparation(self) -> Mapping[str, Any]:  # type: ignore[override]
        """What is done to each row."""
        return self._prepared.words()

    def fit(self, items: Sequence[Item]) -> None:
        """Measure means and deviations of numbers, and take down the names of each column, in `items`."""
        rows = [self._rows[item.name] for item in items]

        def cells(column: Column) -> list[str]:
            return [row.cells[column.number] for row in rows]

        numbers = tuple(
            NumberColumn(
                c.title, c.holds == DATE, measured([columns.values(cells(c), c, comma=self._comma)[:, np.newaxis]])
            )
            for c in self._columns
            if c.holds != NAMES
        )
        names = tuple(
            NameColumn(c.title, class_order(cell.strip() for cell in cells(c) if not is_missing(cell)))
            for c in self._columns
            if c.holds == NAMES
        )
        before = self._prepared
        self._prepared = TablePreparation(numbers, names, before.code, before.marks, before.comma)
        if names and before.code == "ids":
            self.notes = [*self.notes, f"there are {self._prepared.embedded} ids: input_dim of the Embed layer"]

    def read(self, item: Item) -> Content:
        row = self._rows[item.name]
        numbers = [_cell(row, c, comma=self._comma) for c in self._columns if c.holds != NAMES]
        names = [row.cells[c.number] for c in self._columns if c.holds == NAMES]
        values = self._prepared.values(numbers, names)
        return Content(values.pop("data"), more=values)

    def _empty(self, given: Options) -> TablePreparation:
        """Before anything is measured."""
        nothing = measured([])
        numbers = tuple(NumberColumn(c.title, c.holds == DATE, nothing) for c in self._columns if c.holds != NAMES)
        names = tuple(NameColumn(c.title, ()) for c in self._columns if c.holds == NAMES)
        code, marks = given.choice("code", CODES, "onehot"), given.flag("marks", False)
        return TablePreparation(numbers, names, code, marks, self._comma)

    def _item(self, table: Table, row: Row, part: int | None, group: int | None) -> Item:
        if len(row.cells) != table.width:
            raise ValueError(f"it has {len(row.cells)} columns; {table.width} are expected")
        label, values = self._targets.label(row.cells), self._targets.values(row.cells)
        name = f"line{row.line}"
        self._rows[name] = row
        own: Part | None = None if part is None else PARTS.get(row.cells[part].strip().lower())
        if part is not None and own is None:
            raise ValueError(f'"{row.cells[part]}" is no part; train, val or test is expected')
        return Item(
            name, label, values, group=None if group is None else row.cells[group], part=own,
            place=Place(str(self.path), row.line),
        )  # fmt: skip


def _cell(row: Row, column: Column, *, comma: bool) -> str | None:
    """The cell of a column of numbers or dates; None where it is missing, or something else."""
    cell = row.cells[column.number]
    return cell if columns.value_of(cell, column.holds, comma=comma) is not None else None


def _part_column(table: Table, given: Options) -> int | None:
    said = given.text("part")
    if said is not None:
        return table.column(said)
    for number, title in enumerate(table.header):
        if title.strip().lower() in _PART_TITLES and {c.lower() for c in cells_of(table, number)} <= PARTS.keys():
            return number
    return None


def _features(table: Table, given: Options, beside: set[int], *, comma: bool) -> tuple[list[Column], list[str]]:
    """The columns that records are made of, those of numbers first, and what should be known of the others."""
    said = {
        **dict.fromkeys(columns.chosen(table, given.names("numbers"), "numbers"), NUMBER),
        **dict.fromkeys(columns.chosen(table, given.names("names"), "names"), NAMES),
    }
    skipped = set(columns.chosen(table, given.names("skip"), "skip"))
    found: list[Column] = []
    notes: list[str] = []
    for number in range(table.width):
        if number in beside or number in skipped:
            continue
        told = said.get(number)
        column = Column(number, table.title(number), told) if told else columns.found(table, number, comma=comma)
        why = _useless(table, column, told is not None)
        if why is None:
            found.append(column)
        else:
            notes.append(f'the column "{column.title}" is left out: {why}')
    if not found:
        raise UsageError(f"{table.path} has no column that records could be made of", hint="; ".join(notes) or None)
    found.sort(key=lambda column: (column.holds == NAMES, column.number))
    for holds, noun in ((NUMBER, "numbers"), (DATE, "dates, as days since 1970-01-01"), (NAMES, "names")):
        titles = [column.title for column in found if column.holds == holds]
        notes += [f"{noun}: {', '.join(titles)}"] if titles else []
    return found, [*notes, *_missing(table, found, comma=comma)]


def _useless(table: Table, column: Column, told: bool) -> str | None:
    """Why a column says nothing, in words; None where it may say something."""
    cells = [cell.strip() for cell in cells_of(table, column.number) if not is_missing(cell)]
    different = set(cells)
    if not cells:
        return "it is empty"
    if len(different) == 1 and (len(cells) == len(table.rows) or column.holds != NAMES):
        return f'it holds nothing but "{cells[0]}"'
    if column.holds == NAMES and not told and len(different) > max(_MANY, len(cells) // 2):
        return f'it has {len(different)} different names in {len(cells)} rows (--set "names={column.title}" takes it)'
    if len(different) > _MOST_NAMES and column.holds == NAMES:
        return f"it has {len(different)} different names; up to {_MOST_NAMES} are taken"
    return None


def _missing(table: Table, found: Sequence[Column], *, comma: bool) -> list[str]:
    counts: list[str] = []
    for column in found:
        cells = cells_of(table, column.number)
        if column.holds == NAMES:
            count = sum(map(is_missing, cells))
        else:
            count = int(np.isnan(columns.values(cells, column, comma=comma)).sum())
        counts += [f"{column.title} ({count})"] if count else []
    if not counts:
        return []
    rule = "a missing number becomes the mean of train, a missing name none of the names"
    return [f"missing values: {', '.join(counts)}; {rule}"]
