"""Rows of one dataset of an HDF5 file, without the whole of it in memory.

Small datasets are held in memory, in the file's type where that is narrower. Larger ones that are contiguous in the
file are read from disk row by row, in any order. Of chunked and compressed ones a block of whole chunks is held while
rows are read in order; shuffled, a window of blocks (brew.data.order).
"""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.data.order import Mixing, Numbers
from brew.errors import DataError, ResourceError
from brew.layer import Array, count, shape_text

Which: TypeAlias = "slice | npt.NDArray[np.intp]"

_HELD = 64 << 20  # bytes of a dataset that is held in any case
_BLOCK = 8 << 20  # bytes of a block that is read in order, unless one chunk is more
_MIXED_BLOCK = 1 << 20  # likewise of one whose rows are mixed with those of others
_WINDOW = 32 << 20  # bytes of a window, unless two blocks are more


class Rows(ABC):
    """The rows of a dataset; `keeps_file` says whether it reads on through h5py."""

    keeps_file: ClassVar[bool] = False

    @abstractmethod
    def put(self, which: Which, out: Array) -> None:
        """Write the rows `which`, a slice or numbers, to `out`, in its type."""

    @abstractmethod
    def close(self) -> None:
        """Close the file."""


class Held(Rows):
    """Rows in memory."""

    def __init__(self, values: Array) -> None:
        self._values = values

    def put(self, which: Which, out: Array) -> None:
        if isinstance(which, slice):
            _convert(self._values[which], out)
        elif self._values.dtype == out.dtype:
            np.take(self._values, which, axis=0, out=out)
        else:
            _convert(np.take(self._values, which, axis=0), out)

    def close(self) -> None:
        """There is no file any more."""


class InPlace(Rows):
    """Rows read from where they lie, one after the other, from byte `offset` of the file on.

    Not mapped into memory: a file that is cut short meanwhile would kill the process.
    """

    def __init__(self, file: Path, offset: int, dtype: np.dtype[Any], row: tuple[int, ...]) -> None:
        self._path = file
        self._file = file.open("rb", buffering=0)
        self._close = weakref.finalize(self, self._file.close)  # for programs that forget to
        self._offset = offset
        self._size = dtype.itemsize * count(row)
        self._buffer = np.empty((0, *row), dtype)

    def put(self, which: Which, out: Array) -> None:
        target = out
        if out.dtype != self._buffer.dtype:
            if len(self._buffer) < len(out):
                self._buffer = np.empty((len(out), *self._buffer.shape[1:]), self._buffer.dtype)
            target = self._buffer[: len(out)]
        if isinstance(which, slice):
            self._read(which.start, target)
        else:
            for place, number in enumerate(which.tolist()):
                self._read(number, target[place : place + 1])
        if target is not out:
            _convert(target, out)

    def _read(self, row: int, target: Array) -> None:
        if not target.size:
            return
        left = target.reshape(-1).view(np.uint8)
        self._file.seek(self._offset + row * self._size)
        while left.size:
            came = self._file.readinto(left.data)
            if not came:
                raise DataError(f"{self._path} ends before row {row}: was it written to meanwhile?")
            left = left[came:]

    def close(self) -> None:
        self._close()


class Blocks(Rows):
    """Rows that come in order, a block of chunks in memory; a thread reads the next one meanwhile.

    Behind the last row comes the first one, where the file is read again.
    """

    keeps_file = True

    def __init__(self, dataset: Any, file: Path, *, again: bool) -> None:
        self._dataset = dataset
        self._path = file
        self._again = again
        chunk = dataset.chunks[0] if dataset.chunks else 1
        self._rows = max(1, _BLOCK // _row_bytes(dataset) // chunk) * chunk
        self._start = 0
        self._block: Array = np.empty((0, *dataset.shape[1:]), dataset.dtype)
        self._reader = ThreadPoolExecutor(1, "brew-hdf5")
        self._coming: tuple[int, Future[Array]] | None = None

    def put(self, which: Which, out: Array) -> None:
        assert isinstance(which, slice)  # shuffled ones are `Mixed`
        row, done = which.start, 0
        while done < len(out):
            if not self._start <= row < self._start + len(self._block):
                self._enter(row // self._rows * self._rows)
            begin = row - self._start
            take = min(len(self._block) - begin, len(out) - done)
            _convert(self._block[begin : begin + take], out[done : done + take])
            row, done = row + take, done + take

    def _enter(self, start: int) -> None:
        """Make the block from row `start` on the current one, and have the one behind it read."""
        coming, self._coming = self._coming, None
        if coming is None or coming[0] != start:
            coming = start, self._read(start)
        self._start, self._block = start, coming[1].result()
        behind = start + self._rows
        if behind >= self._dataset.shape[0]:
            behind = 0
        if behind or (self._again and start):
            self._coming = behind, self._read(behind)

    def _read(self, start: int) -> Future[Array]:
        return self._reader.submit(_read, self._dataset, self._path, slice(start, start + self._rows))

    def close(self) -> None:
        self._reader.shutdown(cancel_futures=True)
        self._dataset.file.close()


class Mixed(Rows):
    """Rows in the order that `RowOrder` gives: the blocks of its window are in memory, a thread reads the next one."""

    keeps_file = True

    def __init__(self, dataset: Any, file: Path, mixing: Mixing) -> None:
        self._dataset = dataset
        self._path = file
        self._rows = mixing.rows
        self._reader = ThreadPoolExecutor(1, "brew-hdf5")
        self._blocks: dict[int, Future[Array]] = {}

    def expect(self, blocks: Numbers, coming: Numbers) -> None:
        """Rows of these blocks are asked for from now on, and then those of the `coming` ones."""
        wanted = (*blocks, *coming)
        if tuple(self._blocks) == wanted:
            return
        held, self._blocks = self._blocks, {}
        for block in wanted:
            self._blocks[block] = held.pop(block) if block in held else self._read(block)

    def put(self, which: Which, out: Array) -> None:
        assert not isinstance(which, slice)  # in order they are `Blocks`
        of_row = which // self._rows
        for block in np.unique(of_row).tolist():
            here = np.flatnonzero(of_row == block)
            with np.errstate(over="ignore", invalid="ignore"):  # as `_convert`
                out[here] = self._blocks[block].result()[which[here] - block * self._rows]

    def _read(self, block: int) -> Future[Array]:
        start = block * self._rows
        return self._reader.submit(_read, self._dataset, self._path, slice(start, start + self._rows))

    def close(self) -> None:
        self._reader.shutdown(cancel_futures=True)
        self._dataset.file.close()


def mixing_of(h5: Any, datasets: Sequence[Any], file: Path) -> Mixing | None:
    """How the rows of these datasets of one file are mixed together; None where each may be read in any order."""
    large = [d for d in datasets if not _is_little(d) and _offset(h5, d, file) is None]
    if not large:
        return None
    widest = max(large, key=_row_bytes)
    chunk = widest.chunks[0] if widest.chunks else 1
    rows = -(-max(1, _MIXED_BLOCK // _row_bytes(widest)) // chunk) * chunk
    return Mixing(rows, max(2, _WINDOW // (rows * _row_bytes(widest))))


def open_rows(
    h5: Any, dataset: Any, file: Path, dtype: np.dtype[Any], *, mixing: Mixing | None = None, again: bool = False
) -> Rows:
    """The rows of `dataset` in the open `h5` of `file`; `dtype` is the type they are wanted in.

    They come in order, with `again` from the first on after the last, or as `mixing_of` all datasets of the file says.
    Those that have `keeps_file` close `h5`; the others do without. Raises DataError and ResourceError.
    """
    if _is_little(dataset):
        narrow = dataset.dtype if dataset.dtype.itemsize <= dtype.itemsize else dtype
        return Held(_read(dataset, file, slice(0, dataset.shape[0]), narrow))
    offset = _offset(h5, dataset, file)
    if offset is not None:
        return InPlace(file, offset, dataset.dtype, dataset.shape[1:])
    if mixing is None:
        return Blocks(dataset, file, again=again)
    return Mixed(dataset, file, mixing)


def _is_little(dataset: Any) -> bool:
    return bool(dataset.dtype.itemsize * count(dataset.shape) <= _HELD)


def _row_bytes(dataset: Any) -> int:
    return max(1, int(dataset.dtype.itemsize * count(dataset.shape[1:])))


def _offset(h5: Any, dataset: Any, file: Path) -> int | None:
    """Where in the file the values begin; None where they do not lie there in one piece, as NumPy has them."""
    import h5py

    if dataset.id.get_create_plist().get_layout() != h5py.h5d.CONTIGUOUS or h5.userblock_size:
        return None
    offset: int | None = dataset.id.get_offset()  # None as well where nothing was written
    plain = dataset.dtype.itemsize <= 8 and h5py.h5t.py_create(dataset.dtype) == dataset.id.get_type()
    if offset is None or not plain or offset + dataset.nbytes > file.stat().st_size:
        return None
    return offset


def _read(dataset: Any, file: Path, rows: slice, dtype: np.dtype[Any] | None = None) -> Array:
    stop = min(rows.stop, dataset.shape[0])
    shape = (stop - rows.start, *dataset.shape[1:])
    try:
        values = np.empty(shape, dtype or dataset.dtype)
        if values.size:
            dataset.read_direct(values, np.s_[rows.start : stop])
        return values
    except MemoryError:
        raise ResourceError(
            f'{file}: no memory for {shape_text(shape)} values of dataset "{dataset.name.lstrip("/")}"',
            hint="a chunk of a dataset is read whole: write it with smaller ones",
        ) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f'{file}: dataset "{dataset.name.lstrip("/")}" cannot be read: {error}') from None


def _convert(values: Array, out: Array) -> None:
    with np.errstate(over="ignore", invalid="ignore"):  # values too large become infinity, as in HDF5
        out[...] = values
