"""HDF5 files as Caffe's HDF5Data reads them: one dataset per top, a file at a time in memory.

An HDF5 file can name other files of the machine as the place of its data: external storage, external links, virtual
datasets. Data comes from strangers, so all of these are refused, soft links with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew import regular_file
from brew.errors import DataError, Place, ResourceError
from brew.layer import Shape, shape_text
from brew.random import Stream

from .paths import find
from .prefetch import Batch

_DEFLATE_LIMIT = 1032  # no dataset stored whole can be smaller than its size by more than this


def read_list(path: Path, *, what: str, place: Place | None) -> list[Path]:
    """The files named in a source list, one a line: from the working directory, else from the list's folder."""
    try:
        lines = regular_file.read_text(path).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        looks = " (is it an HDF5 file itself? a text file that names HDF5 files is expected)"
        raise DataError(f"{what}: {path} cannot be read as a list of files: {error}{looks}", place=place) from None
    files = []
    for number, line in enumerate(lines, 1):
        if name := line.strip():
            files.append(find(name, path.parent, what=what, place=Place(str(path), number)))
    if not files:
        raise DataError(f"{what}: {path} names no file", place=place)
    return files


@dataclass(frozen=True, slots=True)
class HDF5Files:
    """The files of a source, looked into but not loaded: rows of each, and the shape of one row for every top."""

    files: list[Path]
    names: list[str]
    rows: list[int]
    row_shapes: list[Shape]

    @classmethod
    def examine(cls, files: list[Path], names: list[str]) -> HDF5Files:
        """Open every file once. DataError for the first that cannot be used."""
        shapes = [_shapes(file, names) for file in files]
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
        return cls(files, names, rows, [first[1:] for first in shapes[0]])


class HDF5Source:
    """Fills batches with rows, file after file, from row number `start` (counted over epochs) on.

    With `shuffle` every epoch has its own order of files and, in every file, of rows: functions of (seed, epoch).
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
        self._epoch, offset = divmod(start, sum(files.rows))
        self._loaded: tuple[int, list[npt.NDArray[Any]]] | None = None
        self._position = 0  # in this epoch's order of files
        order = self._order(self._file_order, len(files.files), self._epoch)
        while offset >= files.rows[order[self._position]]:
            offset -= files.rows[order[self._position]]
            self._position += 1
        self._row = offset
        self._enter(int(order[self._position]))

    def fill(self, batch: Batch) -> None:
        tops = batch.take([(self._batch_size, *shape) for shape in self._files.row_shapes])
        filled = 0
        while filled < self._batch_size:
            assert self._loaded is not None  # _enter has loaded it
            number, datasets = self._loaded
            take = min(self._batch_size - filled, self._files.rows[number] - self._row)
            rows = self._rows[self._row : self._row + take]
            for top, data in zip(tops, datasets, strict=True):
                if self._shuffle:
                    np.take(data, rows, axis=0, out=top[filled : filled + take])
                else:
                    top[filled : filled + take] = data[self._row : self._row + take]
            filled += take
            self._row += take
            if self._row == self._files.rows[number]:
                self._advance()

    def close(self) -> None:
        self._loaded = None

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
        """Make file `number` the current one, loading it unless it is loaded."""
        if self._loaded is None or self._loaded[0] != number:
            self._loaded = None  # two files need not fit into memory
            self._loaded = number, _load(self._files.files[number], self._files.names, self._dtype)
        index = self._epoch * len(self._files.files) + number
        self._rows = self._order(self._row_order, self._files.rows[number], index)

    def _order(self, stream: Stream, count: int, index: int) -> npt.NDArray[np.intp]:
        return stream.permutation(count, index=index) if self._shuffle else np.arange(count)


def _shapes(file: Path, names: list[str]) -> list[Shape]:
    """The shapes of the datasets `names`, after every check."""
    with open_hdf5(file) as h5:
        shapes = [tuple(find_dataset(h5, name, file).shape) for name in names]
    for name, shape in zip(names, shapes, strict=True):
        if shape[0] != shapes[0][0]:
            raise DataError(
                f'{file}: dataset "{name}" has {shape[0]} rows, dataset "{names[0]}" has {shapes[0][0]}; '
                "all need the same number"
            )
    return shapes


def _load(file: Path, names: list[str], dtype: np.dtype[Any]) -> list[npt.NDArray[Any]]:
    arrays = []
    with open_hdf5(file) as h5:
        for name in names:
            dataset = find_dataset(h5, name, file)
            try:
                array = np.empty(dataset.shape, dtype)
                if array.size:
                    dataset.read_direct(array)
            except MemoryError:
                raise ResourceError(
                    f'{file}: no memory for dataset "{name}" ({shape_text(dataset.shape)})',
                    hint="HDF5Data holds one file in memory; split it into several",
                ) from None
            except (OSError, RuntimeError, ValueError) as error:
                raise DataError(f'{file}: dataset "{name}" cannot be read: {error}') from None
            arrays.append(array)
    return arrays


def open_hdf5(file: Path) -> Any:
    """An h5py.File to read from; DataError."""
    import h5py

    try:
        regular_file.check(file)
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
