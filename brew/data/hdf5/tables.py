"""HDF5 files as tables: the datasets of equal length in them, read and written a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import DataError
from brew.files import regular
from brew.files.weights.hdf5 import created, is_hdf5
from brew.layer import shape_text

from .source import HDF5Files, find_dataset, open_hdf5, read_list

Row: TypeAlias = dict[str, npt.NDArray[Any]]

_BLOCK = 8 << 20  # bytes of a dataset held while it is read or written


def open_table(path: Path) -> HDF5Files | None:
    """The HDF5 file `path`, or the files that a list names: all datasets at their top. None for another kind of file.

    DataError for files that have none, or whose datasets do not fit together.
    """
    if is_hdf5(path):
        files = [path]
    else:
        try:
            files = read_list(path, what="source", place=None)
        except DataError as error:
            if error.place is not None and _names_hdf5(path):
                raise
            return None
        if not all(is_hdf5(file) for file in files):
            return None
    with open_hdf5(files[0]) as h5:
        names = _datasets(h5)
    if not names:
        raise DataError(f"{files[0]} has no dataset at its top")
    return HDF5Files.examine(files, names)


def _names_hdf5(path: Path) -> bool:
    """Whether the first line of a list that can be read names an HDF5 file."""
    line = regular.head(path, 4096).lstrip().partition(b"\n")[0].strip().lower()
    return line.endswith((b".h5", b".hdf5"))


def _datasets(h5: Any) -> list[str]:
    import h5py

    return [name for name in h5 if h5.get(name, getclass=True, getlink=True) is h5py.HardLink
            and h5.get(name, getclass=True) is h5py.Dataset]  # fmt: skip


def rows(table: HDF5Files, skip: int = 0) -> Iterator[Row]:
    """Row after row of all files, from number `skip` on: an array of each dataset by name. DataError."""
    for file, count in zip(table.files, table.rows, strict=True):
        if skip < count:
            yield from _rows(file, table.names, count, skip)
        skip = max(0, skip - count)


def _rows(file: Path, names: list[str], count: int, start: int) -> Iterator[Row]:
    with open_hdf5(file) as h5:
        datasets = {name: find_dataset(h5, name, file) for name in names}
        widest = max(dataset.nbytes // max(1, count) for dataset in datasets.values())
        step = max(1, _BLOCK // max(1, widest))
        for first in range(start, count, step):
            try:
                blocks = {name: dataset[first : first + step] for name, dataset in datasets.items()}
            except (OSError, RuntimeError, ValueError) as error:
                raise DataError(f"{file} cannot be read at row {first}: {error}") from None
            for number in range(min(step, count - first)):
                yield {name: np.asarray(block[number]) for name, block in blocks.items()}


class TableWriter:
    """A new HDF5 file of `count` rows, filled in order; OSError where it cannot be written."""

    def __init__(self, path: Path, count: int) -> None:
        self._stack = ExitStack()
        self._file = self._stack.enter_context(created(path))
        self._file.attrs["written_by"] = "brew"
        self._count = count
        self._datasets: dict[str, Any] = {}
        self._held: list[Row] = []
        self._bytes = self._done = 0

    def put(self, row: Mapping[str, npt.NDArray[Any]], name: str) -> None:
        """Append a row, that of the record `name`. DataError where it is unlike the first one."""
        if not self._datasets:
            for dataset, values in row.items():
                shape = (self._count, *values.shape)
                self._datasets[dataset] = self._file.create_dataset(dataset, shape, values.dtype)
        self._check(row, name)
        self._held.append(dict(row))
        self._bytes += sum(values.nbytes for values in row.values())
        if self._bytes >= _BLOCK:
            self._write()

    def _check(self, row: Mapping[str, npt.NDArray[Any]], name: str) -> None:
        if row.keys() != self._datasets.keys():
            has, first = (", ".join(sorted(keys)) for keys in (row, self._datasets))
            raise DataError(f"{name} has {has}; the first record has {first}")
        for dataset, values in row.items():
            there = self._datasets[dataset]
            if (values.shape, values.dtype) != (there.shape[1:], there.dtype):
                mine, first = (shape_text(shape) or "one number" for shape in (values.shape, there.shape[1:]))
                raise DataError(
                    f'{name}: "{dataset}" is {mine} of {values.dtype}, in the first record {first} of {there.dtype}',
                    hint="the rows of an HDF5 file have one shape; brew data import --size brings pictures to one",
                )

    def _write(self) -> None:
        if not self._held:
            return
        end = self._done + len(self._held)
        for name, dataset in self._datasets.items():
            dataset[self._done : end] = np.stack([row[name] for row in self._held])
        self._held, self._bytes, self._done = [], 0, end

    def finish(self) -> None:
        """Write what is held, and close the file."""
        self._write()
        self.close()

    def close(self) -> None:
        """Close the file, complete or not."""
        self._stack.close()
