"""The files of a part as they grow: in pieces that are settled on disk, from which a later process goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from brew.data.databases.lmdb_appender import MOST_KEY, LmdbAppender, Written
from brew.data.hdf5.writer import write_rows
from brew.errors import DataError

from .records import DATA, Values
from .sources.items import Item

State = dict[str, Any]  # as JSON has it
_MOST_ROWS = 1 << 30  # bytes of one HDF5 file


class Writer(Protocol):
    """Writes the records of a part, in their order."""

    def put(self, number: int, item: Item, values: Values) -> int:
        """Append a record, number `number` of the part; returns its bytes. DataError where it is unlike the others."""

    def settle(self) -> State:
        """Bring all that was put to the disk; what a later process needs to know to go on."""

    def finish(self) -> None:
        """Complete the files. Doing so again, after a kill, gives the same files."""

    def close(self) -> None:
        """Close the files; what was not settled is lost."""


def key_of(number: int, name: str) -> bytes:
    """A record's key as convert_imageset makes it: "%08d_name", cut at the front where it is too long for LMDB."""
    encoded = os.fsencode(name)
    return b"%08d_%s" % (number, encoded[-(MOST_KEY - len(b"%08d_" % number)) :])


def database_name(part: str, values: str) -> str:
    """The folder of the LMDB that holds the `values` of a part: train_lmdb, train_masks_lmdb."""
    return f"{part}_lmdb" if values == DATA else f"{part}_{values}_lmdb"


class LmdbWriter:
    """LMDBs in `folder`, one for each name of a record's values, with the same keys."""

    def __init__(self, folder: Path, part: str, state: State) -> None:
        self._folder, self._part = folder, part
        self._files: dict[str, LmdbAppender] = {}
        self._settled: dict[str, int] = {}  # leaves
        for name, kept in state.items():
            leaves = [(os.fsencode(key), page) for key, page in kept["leaves"]]
            last = os.fsencode(kept["last"])
            written = Written(kept["pages"], kept["records"], kept["overflow"], last, leaves)
            self._files[name] = LmdbAppender(self._path(name), written)
            self._settled[name] = len(leaves)

    def put(self, number: int, item: Item, values: Values) -> int:
        if not self._files:
            for name in values:
                self._path(name).parent.mkdir(parents=True, exist_ok=True)
                self._files[name] = LmdbAppender(self._path(name))
                self._settled[name] = 0
        _same_names(item, values, self._files)
        key = key_of(number, item.name)
        for name, file in self._files.items():
            value = values[name]
            assert isinstance(value, bytes)
            file.put(key, value)
        return sum(len(value) + len(key) for value in values.values())

    def settle(self) -> State:
        """The leaves are those since the last call (`joined` puts them together)."""
        state: State = {}
        for name, file in self._files.items():
            written = file.settle()
            new = [(os.fsdecode(key), page) for key, page in written.leaves[self._settled[name] :]]
            self._settled[name] = len(written.leaves)
            state[name] = {"pages": written.pages, "records": written.records, "overflow": written.overflow,
                           "last": os.fsdecode(written.last), "leaves": new}  # fmt: skip
        return state

    @staticmethod
    def joined(before: State, state: State) -> State:
        """The state behind `before`, whose leaves are kept."""
        for name, kept in state.items():
            if name in before:
                before[name]["leaves"].extend(kept["leaves"])
                kept["leaves"] = before[name]["leaves"]
        return state

    def finish(self) -> None:
        for file in self._files.values():
            file.finish()

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def _path(self, name: str) -> Path:
        return self._folder / database_name(self._part, name) / "data.mdb"


class Hdf5Writer:
    """HDF5 files in `folder`. Rows are kept in plain files in `rows` first: HDF5's own would not survive a kill."""

    def __init__(self, folder: Path, rows: Path, part: str, state: State) -> None:
        self._folder, self._rows, self._part = folder, rows, part
        self._count: int = state.get("count", 0)
        self._types: dict[str, tuple[str, tuple[int, ...]]] = {
            name: (kind, tuple(shape)) for name, (kind, shape) in state.get("types", {}).items()
        }
        self._files: dict[str, BinaryIO] = {}
        for name in self._types:
            self._files[name] = self._path(name).open("r+b")
            self._files[name].truncate(self._count * self._row_size(name))
            self._files[name].seek(0, os.SEEK_END)

    def put(self, number: int, item: Item, values: Values) -> int:
        arrays: dict[str, npt.NDArray[Any]] = {name: np.asarray(value) for name, value in values.items()}
        if not self._types:
            self._rows.mkdir(parents=True, exist_ok=True)
            for name, array in arrays.items():
                self._types[name] = array.dtype.str, array.shape
                self._files[name] = self._path(name).open("wb")
        _same_names(item, values, self._types)
        for name, array in arrays.items():
            kind, shape = self._types[name]
            if (array.dtype.str, array.shape) != (kind, shape):
                ours, others = (" x ".join(map(str, axes)) or "one number" for axes in (array.shape, shape))
                raise DataError(
                    f'{item.name}: "{name}" is {ours} ({array.dtype}), and {others} ({np.dtype(kind)}) before it',
                    hint="the rows of an HDF5 file are of one shape: --size brings pictures to one",
                )
            self._files[name].write(array.tobytes())
        self._count += 1
        return sum(array.nbytes for array in arrays.values())

    def settle(self) -> State:
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        return {"count": self._count, "types": self._types}

    @staticmethod
    def joined(before: State, state: State) -> State:
        """The later state has all."""
        return state

    def finish(self) -> None:
        """Rows become files of at most a gigabyte, and a list of them."""
        self.close()
        row = sum(self._row_size(name) for name in self._types)
        most = max(1, _MOST_ROWS // max(1, row))
        starts = range(0, self._count, most)
        names = [f"{self._part}.h5"] if len(starts) == 1 else [f"{self._part}_{i:03d}.h5" for i in range(len(starts))]
        for name, start in zip(names, starts, strict=True):
            write_rows(self._folder / name, self._mapped(start, min(start + most, self._count)))
        (self._folder / f"{self._part}_list.txt").write_text("".join(f"{name}\n" for name in names), "utf-8")

    def close(self) -> None:
        for file in self._files.values():
            with suppress(OSError):  # a full disk, which the write before has told
                file.close()

    def _mapped(self, start: int, stop: int) -> Mapping[str, npt.NDArray[Any]]:
        return {
            name: np.memmap(self._path(name), kind, "r", start * self._row_size(name), (stop - start, *shape))
            for name, (kind, shape) in self._types.items()
        }

    def _row_size(self, name: str) -> int:
        kind, shape = self._types[name]
        return int(np.dtype(kind).itemsize * np.prod(shape, dtype=np.int64))

    def _path(self, name: str) -> Path:
        return self._rows / f"{self._part}.{name}"


def _same_names(item: Item, values: Values, names: Mapping[str, Any]) -> None:
    if values.keys() != names.keys():
        ours, others = (", ".join(sorted(some)) for some in (values, names))
        raise DataError(f"{item.name} has {ours}, and the items before it have {others}", place=item.place)
