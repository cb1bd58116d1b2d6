"""NumPy's files: .npy for each array, or .npz with several."""

from __future__ import annotations

import io
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NamedTuple

import numpy as np
from numpy.lib import format as npy

from brew.datasets.sources.trees import in_bytes_order
from brew.errors import DataError
from brew.files import regular

from .array_pile import ArrayPair, ArrayPile, Pair, pairs_by_names
from .rows import OPTIONS, Rows, labels_of
from .stored import PIECE, Stored, Unpacked

_UNNAMED = "arr_0", "arr_1"  # as numpy.savez calls arrays that get no names
_HEAD = 1 << 16  # bytes that hold a header
_MOST_TURNED = 1 << 30  # bytes of an array in Fortran's order, which is turned in memory
_SUSPICIOUS, _RATIO = 16 << 20, 500  # a member of at least these bytes, so many times its size in the archive
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, KeyError)


class _Header(NamedTuple):
    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    start: int

    @property
    def size(self) -> int:
        return self.dtype.itemsize * prod(self.shape)


class NumpyFiles(ArrayPile):
    """Arrays of records and of labels, told apart by their names: x_train and y_train, train_images and train_labels,
    images and labels; as members of an .npz, or as .npy files of a folder. Arrays of Python objects are not read.
    """

    kind = "NumPy"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "data": "the name of the array of records",
        "labels": "the name of the array of labels",
        **OPTIONS,
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        names = _names(path)
        if path.suffix == ".npy" and "labels" in options:
            options = {"data": path.stem, **options}
        pairs, others = pairs_by_names(names, options)
        if not pairs and _UNNAMED[0] in names:
            pairs = [Pair(None, _UNNAMED[0], _UNNAMED[1] if _UNNAMED[1] in names else None)]
            others = [name for name in names if name not in _UNNAMED]
        if path.suffix == ".npy" and "data" not in options:
            own = [pair for pair in pairs if pair.data == path.stem]
            pairs, others = own or [Pair(None, path.stem, None)], []
        if not pairs:
            raise DataError(
                f"{path} has no array that is called as one of records: it has {', '.join(names) or 'none'}",
                hint="--set data=NAME --set labels=NAME say which is which",
            )
        made = []
        for pair in pairs:
            labels = None if pair.labels is None else labels_of(self._rows(pair.labels, names).whole(), pair.labels)
            files = tuple(self._file(name) for name in (pair.data, pair.labels) if name is not None)
            made.append(ArrayPair(pair.data, pair.part, self._rows(pair.data, names), labels, files))
        self._take(made, options, colors="rgb")
        if others:
            self.notes = [*self.notes, f"arrays left out: {', '.join(others)}"]

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is an .npz or .npy file, or a folder of .npy files of which one is called as records are."""
        try:
            return bool(pairs_by_names(_names(path), {})[0]) if path.is_dir() else bool(_names(path))
        except DataError:
            return False

    def _file(self, name: str) -> Path:
        return self.path if self.path.suffix == ".npz" else _folder(self.path) / f"{name}.npy"

    def _rows(self, name: str, names: list[str]) -> Rows:
        if name not in names:
            raise DataError(f"{self.path} has no array {name}: it has {', '.join(names)}")
        what = f"{self.path}: {name}" if self.path.suffix == ".npz" else str(self._file(name))
        try:
            if self.path.suffix != ".npz":
                file = self._file(name)
                header = _header(regular.head(file, _HEAD), what)
                there = regular.check(file) - header.start
                if there != header.size:
                    raise DataError(f"{what} has {there} bytes of numbers; by its header {header.size} are expected")
                stored: Stored = Unpacked(file, partial(_turn, file, header)) if header.fortran else Stored(file)
                return Rows(stored, 0 if header.fortran else header.start, header.shape, header.dtype)
            with zipfile.ZipFile(self.path) as archive:
                info = archive.getinfo(f"{name}.npy")
                with archive.open(info) as member:
                    header = _header(member.read(_HEAD), what)
        except DataError:
            raise
        except _BROKEN as error:
            raise DataError(f"{what} cannot be read: {error}") from None
        if info.file_size != header.start + header.size:
            raise DataError(
                f"{what} has {info.file_size} bytes; by its header {header.start + header.size} are expected"
            )
        if header.size > _SUSPICIOUS and header.size > _RATIO * info.compress_size:
            raise DataError(f"{what} unpacks {info.compress_size} bytes to {header.size}: it is taken for a bomb")
        unpacked = Unpacked(self.path, partial(_unpack, self.path, name, header))
        return Rows(unpacked, 0, header.shape, header.dtype)


def _names(path: Path) -> list[str]:
    """The names of the arrays in an .npz, or of the .npy files in a folder or beside one; DataError."""
    names: Iterable[str] = ()
    try:
        if path.suffix == ".npz" and not path.is_dir():
            regular.check(path)
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        elif path.is_dir() or path.suffix == ".npy":
            names = in_bytes_order(entry.name for entry in _folder(path).iterdir())
    except _BROKEN as error:
        raise DataError(f"{path} cannot be read: {error}") from None
    return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _header(head: bytes, what: str) -> _Header:
    """What an .npy file says of its array; DataError for a broken one and for one of Python objects."""
    file = io.BytesIO(head)
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a header that Python 2 wrote is as good
            shape, fortran, dtype = read(file)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise DataError(f"{what} is no array of NumPy's: {error}") from None
    if dtype.hasobject or dtype.kind not in "biufSU":
        raise DataError(f"{what} is an array of {dtype}, which is not read; numbers are expected")
    if not shape or any(axis < 0 for axis in shape):
        raise DataError(f"{what} is of the shape {shape}; one axis or more are expected")
    return _Header(shape, fortran and len(shape) > 1, dtype, file.tell())


def _turn(file: Path, header: _Header, out: BinaryIO) -> None:
    """Write an array of Fortran's order in C's."""
    if header.size > _MOST_TURNED:
        raise DataError(f"{file} is in Fortran's order, of {header.size} bytes; up to {_MOST_TURNED} can be turned")
    data = regular.read_bytes(file)[header.start :]
    out.write(np.ascontiguousarray(np.frombuffer(data, header.dtype).reshape(header.shape, order="F")).data)


def _unpack(path: Path, name: str, header: _Header, out: BinaryIO) -> None:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
            member.read(header.start)
            if header.fortran:
                if header.size > _MOST_TURNED:
                    raise DataError(
                        f"{name} is in Fortran's order, of {header.size} bytes; up to {_MOST_TURNED} can be turned"
                    )
                data = np.frombuffer(member.read(), header.dtype).reshape(header.shape, order="F")
                out.write(np.ascontiguousarray(data).data)
                return
            while piece := member.read(PIECE):
                out.write(piece)
    except DataError:
        raise
    except (*_BROKEN, ValueError) as error:
        raise DataError(f"{path}: {name} cannot be unpacked: {error}") from None
