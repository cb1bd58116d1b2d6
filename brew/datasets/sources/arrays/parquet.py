"""Parquet: tables with a column of encoded pictures and one of labels, as data sets are published today."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple

import numpy as np

from brew.datasets.sources.folders import files_below
from brew.datasets.sources.items import Content, Item, Part, Pile, Problem, file_stamp
from brew.datasets.sources.trees import PARTS, in_bytes_order
from brew.errors import DataError, DeviceError
from brew.files import regular

from .rows import Labels, labels_of
from .stored import Unpacked

_SIGN = b"PAR1"
_AT_ONCE = 64  # rows with pictures
_MOST = 1 << 30  # bytes of a picture
_PICTURES = ("image", "img", "picture", "png", "jpg", "jpeg", "bytes")
_LABELS = ("label", "labels", "fine_label", "class", "target", "cls")
_HINT = 'pip install "brew-caffe[parquet]"'


class _Table(NamedTuple):
    """A file: its columns of pictures and labels, and whether a picture is {bytes, path}."""

    path: Path
    picture: str
    label: str | None
    is_struct: bool
    rows: int


class Parquet(Pile):
    """A Parquet file, or a folder of them whose names may say the part. A picture is the bytes of an encoded one, alone
    or as {bytes, path}; labels are numbers, whose names the table may know, texts, or lists of numbers (targets).
    """

    kind = "Parquet"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "image": "the column of the pictures",
        "label": "the column of the labels",
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        self._tables = [_table(file, options) for file in _files(path)]
        if not self._tables:
            raise DataError(f"{path} has no Parquet files")
        self._pictures = [_Pictures(table) for table in self._tables]
        self._where: dict[str, tuple[int, int]] = {}
        columns = [_labels(table) for table in self._tables]
        self.labels, self.notes = _one_set(path, columns)
        numbers = {name: number for number, name in enumerate(self.labels)}
        widths = {labels.targets.shape[1] for labels in columns if labels and labels.targets is not None}
        if len(widths) > 1:
            raise DataError(f"{path} has rows of {' and '.join(map(str, sorted(widths)))} targets")
        self.target_names = tuple(f"target{i}" for i in range(widths.pop() if widths else 0))
        items: list[Item] = []
        for number, (table, labels) in enumerate(zip(self._tables, columns, strict=True)):
            items += self._items(number, table, labels, numbers)
        self.items = items
        self.problems: Sequence[Problem] = ()

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is a Parquet file, or a folder with some."""
        try:
            return bool(_files(path))
        except DataError:
            return False

    def stamp(self, item: Item) -> str:
        return file_stamp(self._tables[self._where[item.name][0]].path)

    def read(self, item: Item) -> Content:
        number, row = self._where[item.name]
        return Content(self._pictures[number].picture(row))

    def close(self) -> None:
        for pictures in self._pictures:
            pictures.close()

    def _items(self, number: int, table: _Table, labels: Labels | None, numbers: Mapping[str, int]) -> Iterator[Item]:
        digits = max(5, len(str(table.rows - 1)))
        folder = table.path.relative_to(self.path).as_posix() if self.path.is_dir() else table.path.name
        prefix = folder.removesuffix(".parquet")
        part = _part(prefix)
        for row in range(table.rows):
            name = f"{prefix}/{row:0{digits}d}"
            self._where[name] = number, row
            label: int | None = None
            targets: tuple[float, ...] = ()
            if labels is not None and labels.classes is not None:
                label = labels.classes[row]
                label = numbers[labels.names[label]] if labels.names and labels.names != self.labels else label
            elif labels is not None and labels.targets is not None:
                targets = tuple(map(float, labels.targets[row]))
            yield Item(name, label=label, targets=targets, part=part)


class _Pictures:
    """The pictures of a table, copied one behind the other when the first one is read."""

    def __init__(self, table: _Table) -> None:
        self._ends = array("q")
        self._table = table
        self._stored = Unpacked(table.path, self._unpack)

    def picture(self, row: int) -> bytes:
        """The bytes of one; DataError."""
        self._stored.read(0, 0, "the pictures")
        start, end = (self._ends[row - 1] if row else 0), self._ends[row]
        if start == end:
            raise DataError(f"row {row} of {self._table.path} has no picture")
        return self._stored.read(start, end - start, f"row {row}")

    def close(self) -> None:
        self._stored.close()

    def _unpack(self, out: BinaryIO) -> None:
        ends, end = array("q"), 0
        table = self._table
        for batch in _batches(table.path, [table.picture], _AT_ONCE):
            for value in batch:
                data = (value or {}).get("bytes") if table.is_struct else value
                if data is not None and len(data) <= _MOST:
                    out.write(data)
                    end += len(data)
                ends.append(end)
        if len(ends) != table.rows:
            raise DataError(f"{table.path} has {len(ends)} pictures; by its description {table.rows} rows are expected")
        self._ends = ends


def _arrow() -> Any:
    """pyarrow.parquet; DeviceError where it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise DeviceError("Parquet files are read by pyarrow, which is not installed", hint=_HINT) from None
    return pyarrow.parquet


def _opened(path: Path) -> Any:
    arrow = _arrow()
    try:
        regular.check(path)
        return arrow.ParquetFile(path, memory_map=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:  # pyarrow's derive from these
        raise DataError(f"{path} cannot be read as Parquet: {error}") from None


def _batches(path: Path, columns: list[str], size: int) -> Iterator[list[Any]]:
    """The values of one column, some rows at a time; DataError."""
    with _opened(path) as file:
        try:
            for batch in file.iter_batches(batch_size=size, columns=columns, use_threads=False):
                yield batch.column(0).to_pylist()
        except (OSError, ValueError, TypeError, RuntimeError, NotImplementedError) as error:
            raise DataError(f"{path} cannot be read: {error}") from None


def _files(path: Path) -> list[Path]:
    """The file, or the Parquet files in the folder and its folders; DataError."""
    try:
        if not path.is_dir():
            return [path] if regular.head(path, len(_SIGN)) == _SIGN else []
        return [path / name for name in files_below(path) if name.endswith(".parquet")]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def _table(path: Path, options: Mapping[str, str]) -> _Table:
    with _opened(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    names = list(schema.names)
    for key in ("image", "label"):
        if key in options and options[key] not in names:
            raise DataError(f"{path} has no column {options[key]}: it has {', '.join(names)}")
    kinds = {name: str(schema.field(name).type) for name in names}
    pictures = [
        name for name, kind in kinds.items() if "binary" in kind and (kind.startswith(("struct", "binary", "large")))
    ]
    found = sorted(pictures, key=lambda name: (name.lower() not in _PICTURES, names.index(name)))
    picture = options.get("image", found[0] if found else None)
    if picture is None or picture not in pictures:
        raise DataError(
            f"{path} has no column of pictures' bytes: it has {', '.join(f'{n} ({k})' for n, k in kinds.items())}"
        )
    label = options.get("label") or next((name for name in _LABELS if name in names), None)
    return _Table(path, picture, label, kinds[picture].startswith("struct"), rows)


def _labels(table: _Table) -> Labels | None:
    """The labels of a table; DataError."""
    if table.label is None:
        return None
    values: list[Any] = []
    for batch in _batches(table.path, [table.label], 1 << 16):
        values += batch
    where = f"{table.path}: {table.label}"
    if len(values) != table.rows:
        raise DataError(f"{where} has {len(values)} labels; by the table's description {table.rows} rows are expected")
    missing = next((row for row, value in enumerate(values) if value is None), None)
    if missing is not None:
        raise DataError(f"{where} has nothing in row {missing}")
    try:
        column = np.array(values, dtype=object if values and isinstance(values[0], str | bytes) else None)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{where} cannot be made an array: {error}") from None
    labels = labels_of(column, where)
    names = _class_names(table)
    if names and labels.classes is not None and not labels.names:
        if labels.classes and not 0 <= min(labels.classes) <= max(labels.classes) < len(names):
            worst = next(label for label in labels.classes if not 0 <= label < len(names))
            raise DataError(f"{where} has the class {worst}; the table names {len(names)}, from 0 on")
        return labels._replace(names=names)
    return labels


def _class_names(table: _Table) -> tuple[str, ...]:
    """The names that the table's own description gives the numbers of the labels."""
    with _opened(table.path) as file:
        described = (file.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    try:
        names = json.loads(described)["info"]["features"][table.label]["names"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ()
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _one_set(path: Path, columns: list[Labels | None]) -> tuple[tuple[str, ...], list[str]]:
    """The classes of all tables together: those of each are the same, or texts of which all are taken."""
    sets = list(dict.fromkeys(labels.names for labels in columns if labels and labels.names))
    notes = ["there are no labels in some of the tables"] if any(labels is None for labels in columns) else []
    if len(sets) < 2:
        return (sets[0] if sets else ()), notes
    together = tuple(in_bytes_order({name for names in sets for name in names}))
    return together, [*notes, f"the tables name different classes: all {len(together)} of them are taken"]


def _part(name: str) -> Part | None:
    words = re.split(r"[^a-z]+", name.lower())
    return next((PARTS[word] for word in reversed(words) if word in PARTS), None)
