"""HDF5 files as Caffe's HDF5Data reads them: one dataset per top, a file at a time, in parts (rows.py).

An HDF5 file can name other files of the machine as the place of its data: external storage, external links, virtual
datasets. Data comes from strangers, so all of these are refused, soft links with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.data.list_lines import doubt, read_lines
from brew.data.order import Mixing, RowOrder
from brew.data.prefetch import Batch, Finish
from brew.errors import DataError, Place
from brew.files import regular
from brew.files.paths import find, is_there
from brew.layer import Shape, shape_text
from brew.layer.random import Stream

from .rows import Mixed, Rows, Which, mixing_of, open_rows

_DEFLATE_LIMIT = 1032  # no dataset stored whole can be smaller than its size by more than this


def read_list(path: Path, *, what: str, place: Place | None) -> list[Path]:
    """The files named in a source list, one a line: from the working directory, else from the list's folder.

    Several names in a line, as Caffe takes them, where no file is called as the whole line is.
    """
    try:
        lines = read_lines(path, what=what, place=place)
    except DataError as error:
        error.hint = error.hint or "is it an HDF5 file itself? A text file that names HDF5 files is expected"
        raise
    files = []
    for number, line in lines:
        where = Place(str(path), number)
        for name in _names(line.strip(), path.parent):
            files.append(find(name, path.parent, what=what, place=where, hint=_remedy(name)))
    if not files:
        raise DataError(f"{what}: {path} names no file", place=place)
    return files


def _names(line: str, folder: Path) -> list[str]:
    words = line.split()
    several = len(words) > 1 and not is_there(line, folder) and all(is_there(word, folder) for word in words)
    return words if several else [line]


def _remedy(name: str) -> str | None:
    """A remedy for the name of a file that does not exist."""
    if re.search(r"\s[+-]?[0-9.]+$", name):
        return "a list of HDF5 files has no labels: these are a dataset of the files"
    return doubt(name)


@dataclass(frozen=True, slots=True)
class HDF5Files:
    """The files of a source, opened but not loaded: rows of each, and the shape of one row for every top.

    `mixings` say how the rows of each file are shuffled (None: any order of all may come).
    """

    files: list[Path]
    names: list[str]
    rows: list[int]
    row_shapes: list[Shape]
    mixings: list[Mixing | None]

    @classmethod
    def examine(cls, files: list[Path], names: list[str]) -> HDF5Files:
        """Open every file once. DataError for the first that cannot be used."""
        examined = [_shapes(file, names) for file in files]
        shapes = [these for these, _ in examined]
        for file, these in zip(files, shapes, strict=True):
            for name, first, this in zip(names, shapes[0], these, strict=True):
                if first[1:] != this[1:]:
                    raise DataError(
                        f'{file}: a row of dataset "{name}" is {shape_text(this[1:])}, in {files[0]} it is '
                        f"{shape_text(first[1:])}"
                    )
        rows = [these[0][0] for these in shapes]
        if not sum(rows):
            raise DataError(f"{files[0]}: there is not one row of data in the whole source")
        return cls(files, names, rows, [first[1:] for first in shapes[0]], [mixing for _, mixing in examined])

    def shapes(self, number: int) -> dict[str, Shape]:
        """The shapes of the datasets in file `number`, by name."""
        return {name: (self.rows[number], *row) for name, row in zip(self.names, self.row_shapes, strict=True)}


def _named(taken: list[tuple[Path, Which]], number: int) -> str:
    for file, which in taken:
        rows = range(which.start, which.stop) if isinstance(which, slice) else which
        if number < len(rows):
            return f"row {rows[number]} of {file}"
        number -= len(rows)
    raise IndexError(number)


class HDF5Source:
    """Fills batches with rows, file after file, from row number `start` (counted over epochs) on.

    With `shuffle` every epoch has its own order of files and, in every file, of rows (brew.data.order): functions of
    (seed, epoch).
    """

    def __init__(
        self,
        files: HDF5Files,
        batch_size: int,
        start: int,
        *,
        dtype: npt.DTypeLike,
        shuffle: bool,
        seed: int,
        name: str,
    ) -> None:
        self._files = files
        self._batch_size = batch_size
        self._dtype = np.dtype(dtype)
        self._shuffle = shuffle
        self._file_order = Stream(seed, f"{name}/files")
        self._row_order = Stream(seed, f"{name}/rows")
        self._block_order = Stream(seed, f"{name}/blocks")
        self._epoch, offset = divmod(start, sum(files.rows))
        self._opened: tuple[int, list[Rows]] | None = None
        self._position = 0  # in this epoch's order of files
        order = self._order(self._file_order, len(files.files), self._epoch)
        while offset >= files.rows[order[self._position]]:
            offset -= files.rows[order[self._position]]
            self._position += 1
        self._row = offset
        self._enter(int(order[self._position]))

    def begin(self, batch: Batch) -> Finish:
        return partial(self._fill, batch)

    def _fill(self, batch: Batch) -> None:
        tops = batch.take([(self._batch_size, *shape) for shape in self._files.row_shapes])
        filled, taken = 0, []
        while filled < self._batch_size:
            assert self._opened is not None  # _enter has opened it
            number, datasets = self._opened
            stop = self._files.rows[number]
            if self._rows is not None:
                stop, *blocks = self._rows.window(self._row)
                for data in datasets:
                    if isinstance(data, Mixed):
                        data.expect(*blocks)
            take = min(self._batch_size - filled, stop - self._row)
            some = slice(self._row, self._row + take)
            which = some if self._rows is None else self._rows.numbers[some]
            for top, data in zip(tops, datasets, strict=True):
                data.put(which, top[filled : filled + take])
            taken.append((self._files.files[number], which))
            filled += take
            self._row += take
            if self._row == self._files.rows[number]:
                self._advance()
        batch.name = partial(_named, taken)

    def close(self) -> None:
        if self._opened is not None:
            for rows in self._opened[1]:
                rows.close()
        self._opened = None

    def _advance(self) -> None:
        """To the next file that has rows, in the next epoch after the last one."""
        while True:
            self._position += 1
            if self._position == len(self._files.files):
                self._position = 0
                self._epoch += 1
            number = int(self._order(self._file_order, len(self._files.files), self._epoch)[self._position])
            if self._files.rows[number]:
                self._row = 0
                self._enter(number)
                return

    def _enter(self, number: int) -> None:
        """Make file `number` the current one, opening it unless it is open."""
        mixing = self._files.mixings[number] if self._shuffle else None
        if self._opened is None or self._opened[0] != number:
            self.close()  # two files need not fit into memory
            file = self._files.files[number]
            alone = len(self._files.files) == 1
            opened = _open(file, self._files.shapes(number), self._dtype, mixing=mixing, again=alone)
            self._opened = number, opened
        index = self._epoch * len(self._files.files) + number
        self._rows = (
            RowOrder(self._files.rows[number], mixing, self._row_order, self._block_order, index)
            if self._shuffle
            else None
        )

    def _order(self, stream: Stream, count: int, index: int) -> npt.NDArray[np.intp]:
        return stream.permutation(count, index=index) if self._shuffle else np.arange(count)


def _shapes(file: Path, names: list[str]) -> tuple[list[Shape], Mixing | None]:
    """The shapes of the datasets `names`, after every check, and how their rows are mixed."""
    with open_hdf5(file) as h5:
        datasets = [find_dataset(h5, name, file) for name in names]
        shapes = [tuple(dataset.shape) for dataset in datasets]
        mixing = mixing_of(h5, datasets, file)
    for name, shape in zip(names, shapes, strict=True):
        if shape[0] != shapes[0][0]:
            raise DataError(
                f'{file}: dataset "{name}" has {shape[0]} rows, dataset "{names[0]}" has {shapes[0][0]}; '
                "all need the same number"
            )
    return shapes, mixing


def _open(
    file: Path, shapes: dict[str, Shape], dtype: np.dtype[Any], *, mixing: Mixing | None, again: bool
) -> list[Rows]:
    """The rows of the datasets that are to have these `shapes`."""
    found: list[Rows] = []
    for name, shape in shapes.items():
        h5 = open_hdf5(file)
        rows: Rows | None = None
        try:
            dataset = find_dataset(h5, name, file)
            if dataset.shape != shape:
                now = shape_text(dataset.shape)
                raise DataError(f'{file}: dataset "{name}" is {now} now, and was {shape_text(shape)}')
            rows = open_rows(h5, dataset, file, dtype, mixing=mixing, again=again)
        finally:
            if rows is None or not rows.keeps_file:
                h5.close()
        found.append(rows)
    return found


def open_hdf5(file: Path) -> Any:
    """An h5py.File to read from; DataError."""
    import h5py

    try:
        regular.check(file)
        return h5py.File(file, "r", locking=False)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{file} cannot be opened as HDF5: {error}") from None


def find_dataset(h5: Any, name: str, file: Path) -> Any:
    """The dataset `name`, reached through groups of this very file and stored in it."""
    import h5py

    item = h5
    path = ""
    for part in filter(None, name.split("/")):
        path = f"{path}/{part}"
        if not isinstance(item, h5py.Group) or part not in list(item):  # `in item` itself would follow links
            have = ", ".join(f'"{n}"' for n in h5) or "none"
            raise DataError(f'{file}: there is no dataset "{name}" (one for every top is needed); it holds {have}')
        kind = item.id.links.get_info(part.encode()).type
        if kind != h5py.h5l.TYPE_HARD:
            what = "an external link" if kind == h5py.h5l.TYPE_EXTERNAL else "a soft link"
            raise DataError(f"{file}: {path} is {what}; data must be stored in the file itself")
        item = item[part]
    if not isinstance(item, h5py.Dataset):
        raise DataError(f"{file}: {path} is a group; a dataset is needed")
    _check_storage(item, path, file)
    return item


def _check_storage(dataset: Any, path: str, file: Path) -> None:
    if dataset.is_virtual or dataset.external:
        kind = "a virtual dataset" if dataset.is_virtual else "stored in other files"
        raise DataError(f"{file}: {path} is {kind}; data must be stored in the file itself")
    if dataset.dtype.kind not in "iufb":
        raise DataError(f"{file}: {path} holds {dataset.dtype}; numbers are needed")
    if not dataset.shape:
        raise DataError(f"{file}: {path} is a single value; at least one axis, of rows, is needed")
    if dataset.nbytes > _DEFLATE_LIMIT * file.stat().st_size:
        raise DataError(
            f"{file}: {path} says it is {shape_text(dataset.shape)} ({dataset.nbytes} bytes), which the file's "
            f"{file.stat().st_size} bytes cannot hold"
        )
