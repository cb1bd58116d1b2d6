"""Lists of pictures with labels: Caffe's ("path label"), CSV and TSV."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np

from brew.errors import DataError, Place
from brew.files import regular
from brew.files.paths import expanded

from .folders import read_file
from .items import Content, Item, Part, Pile, Problem, file_stamp
from .tables import Row, Table, read_table, roles
from .trees import PARTS, class_order, is_picture

T = TypeVar("T")

_FIRST = 50  # lines, to recognise a list
_MOST = 1 << 31


class FileList(Pile):
    """The pictures that a list names, with what its columns say of each."""

    kind = "a list of pictures"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "root": "the folder of the pictures (that of the list, else the working directory)",
        "image": "the column of the pictures' names, by its name or number",
        "label": "the column of the class",
        "targets": "columns of values to predict, with commas between them, or all",
        "weight": "the column of an example's weight",
        "part": "the column that says train, val or test",
        "group": "the column of what stays in one part: a speaker, a patient",
        "ending": "what names in the list lack: .jpg",
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        table = read_table(path)
        self._columns = roles(table, options)
        self._ending = options.get("ending", "")
        self.root = self._found_root(table, options.get("root"))
        self._weights: dict[str, float] = {}
        labels, self.labels, notes = _labels(table, self._columns.label)
        self.target_names = tuple(table.title(column) for column in self._columns.targets)
        items: list[Item] = []
        problems: list[Problem] = []
        for row, label in zip(table.rows, labels, strict=True):
            try:
                items.append(self._item(table, row, label))
            except ValueError as error:
                name = row.cells[self._columns.image] if self._columns.image < len(row.cells) else "?"
                problems.append(Problem(name, f"{Place(str(path), row.line)}: {error}"))
        self.items, self.problems = items, problems
        self.notes = [*notes, *self._columns.notes]

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is text whose first lines name pictures."""
        try:
            if not path.is_file() or b"\0" in regular.head(path, 4096):
                return False
            table = read_table(path, first=_FIRST)
            return any(is_picture(cell) for row in table.rows for cell in row.cells)
        except (OSError, DataError):
            return False

    def stamp(self, item: Item) -> str:
        return file_stamp(self.root / item.name)

    def size(self, item: Item) -> int | None:
        return (self.root / item.name).stat().st_size

    def read(self, item: Item) -> Content:
        try:
            data = read_file(self.root / item.name)
        except DataError as error:
            raise error.with_place(item.place) from None
        weight = self._weights.get(str(item.place))
        return Content(data, more={} if weight is None else {"weight": np.array([weight], np.float32)})

    def _item(self, table: Table, row: Row, label: int | None) -> Item:
        columns, place = self._columns, Place(str(self.path), row.line)
        if len(row.cells) != table.width:
            raise ValueError(f"{len(row.cells)} columns; {table.width} are expected")
        name = row.cells[columns.image]
        if not name:
            raise ValueError("it names no picture")
        if "\0" in name:
            raise ValueError("no file has a name with a NUL in it")
        if any("\n" in row.cells[column] for column in (columns.image, columns.label) if column is not None):
            raise ValueError("its name or its label goes on in the next line: is a quote left open?")
        if columns.label is not None and label is None:
            cell = row.cells[columns.label]
            raise ValueError(f'its label "{cell}" is no whole number' if cell else "it has no label")
        targets = tuple(_number(row.cells[column], table.title(column)) for column in columns.targets)
        if columns.weight is not None:
            self._weights[str(place)] = _number(row.cells[columns.weight], "weight")
        part = None if columns.part is None else _part(row.cells[columns.part])
        group = None if columns.group is None else row.cells[columns.group]
        return Item(name + self._ending, label=label, targets=targets, group=group, part=part, place=place)

    def _found_root(self, table: Table, said: str | None) -> Path:
        """The folder in which the first picture that is anywhere is found; DataError where none is."""
        column = self._columns.image
        names = [row.cells[column] for row in table.rows[:_FIRST] if len(row.cells) > column and row.cells[column]]
        roots = [expanded(said)] if said is not None else [self.path.parent, Path()]
        for name in names:
            for root in roots:
                if os.path.lexists(root / (name + self._ending)):
                    return root
        if not names:
            raise DataError(f"{self.path} names no picture")
        tried = " or ".join(str((root / (names[0] + self._ending)).absolute()) for root in roots)
        hint = "--set root=FOLDER says where the pictures are; --set ending=.jpg what their names lack"
        raise DataError(f"there is no {tried}", place=Place(str(self.path), table.rows[0].line), hint=hint)


def _labels(table: Table, column: int | None) -> tuple[list[int | None], tuple[str, ...], list[str]]:
    """The label of every row, the names of the classes, and what should be known of them.

    Whole numbers are labels as they are; other words are the names of classes, unless hardly any cell is one.
    """
    if column is None:
        return [None] * len(table.rows), (), []
    cells = [row.cells[column] if column < len(row.cells) else "" for row in table.rows]
    values = [_whole(cell) for cell in cells]
    if 10 * values.count(None) <= len(values):
        return values, (), []
    names = class_order(cell for cell in cells if cell and "\n" not in cell)
    numbers: dict[str, int] = {name: number for number, name in enumerate(names)}
    shown = ", ".join(f"{number} = {name}" for number, name in enumerate(names[:10]))
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return [numbers.get(cell) for cell in cells], names, [f"labels were made of names: {shown}{more}"]


def _whole(cell: str) -> int | None:
    """A whole number of 32 bits, also as "3.0"; None for anything else."""
    try:
        value = int(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        try:
            number = float(cell)
        except ValueError:  # int's, too, for thousands of digits
            return None
        value = int(number) if number.is_integer() else None
    return value if value is not None and -(1 << 31) <= value < _MOST else None


def _number(cell: str, title: str) -> float:
    try:
        value = float(cell) if "_" not in cell else None
    except ValueError:
        value = None
    if value is None:
        raise ValueError(f'"{cell}" in the column {title} is no number')
    if not np.isfinite(value):
        raise ValueError(f'"{cell}" in the column {title} is no finite number')
    return value


def _part(cell: str) -> Part:
    part = PARTS.get(cell.strip().lower())
    if part is None:
        raise ValueError(f'"{cell}" is no part; train, val or test is expected')
    return part
