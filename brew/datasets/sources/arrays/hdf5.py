"""HDF5 files: datasets of records and of labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from brew.data.hdf5.source import find_dataset, open_hdf5
from brew.datasets.sources.items import Part
from brew.datasets.sources.trees import PARTS, in_bytes_order
from brew.errors import DataError
from brew.files import regular

from .array_pile import ArrayPair, ArrayPile, Pair, pairs_by_names
from .rows import MOST_LABELS, OPTIONS, Labels, Rows, labels_of
from .stored import Unpacked

_SIGN = b"\x89HDF\r\n\x1a\n"
_ENDINGS = (".h5", ".hdf5", ".hdf")
_BLOCK = 8 << 20  # bytes that are read at a time
_MOST_NAMES = 1000
_BROKEN = (OSError, RuntimeError, ValueError, KeyError, TypeError)


class Hdf5Files(ArrayPile):
    """Datasets of records and of labels, told apart by their names: data and label, as Caffe calls them, x_train and
    y_train, train/images and train/labels; in one file, or in the files of a folder, whose names may say the part.

    Links to other files, and datasets that are stored elsewhere, are not followed.
    """

    kind = "HDF5"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "data": "the name of the dataset of records",
        "labels": "the name of the dataset of labels",
        **OPTIONS,
    }

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        made: list[ArrayPair] = []
        others: list[str] = []
        names: list[str] = []
        files = _files(path)
        for file in files:
            names = _datasets(file)
            pairs, rest = pairs_by_names(names, options)
            others += rest
            for pair in pairs:
                name = pair.data if len(files) == 1 else f"{file.stem}/{pair.data}"
                rows, labels = _rows(file, pair.data), _labels(file, pair)
                made.append(ArrayPair(name, pair.part or _part(file.stem), rows, labels, (file,)))
        if not made:
            raise DataError(
                f"{path} has no dataset that is called as one of records: it has {', '.join(names) or 'none'}",
                hint="--set data=NAME --set labels=NAME say which is which",
            )
        self._take(made, options, colors="bgr")
        if others:
            self.notes = [*self.notes, f"datasets left out: {', '.join(others[:8])}"]

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is an HDF5 file, or a folder of some, with a dataset that is called as records are."""
        try:
            return any(bool(pairs_by_names(_datasets(file), {})[0]) for file in _files(path)[:1])
        except DataError:
            return False


def _files(path: Path) -> list[Path]:
    """The file, or the HDF5 files in the folder; DataError."""
    try:
        if not path.is_dir():
            return [path] if regular.head(path, len(_SIGN)) == _SIGN else []
        names = in_bytes_order(entry.name for entry in path.iterdir() if entry.suffix.lower() in _ENDINGS)
        return [path / name for name in names if regular.head(path / name, len(_SIGN)) == _SIGN]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None


def _datasets(file: Path) -> list[str]:
    """The names of the datasets at the top of a file and in its groups there; those behind links are left out."""
    with open_hdf5(file) as h5:
        try:
            return list(_names(h5, "", 0))[:_MOST_NAMES]
        except _BROKEN as error:
            raise DataError(f"{file} cannot be read: {error}") from None


def _names(group: Any, prefix: str, depth: int) -> Iterator[str]:
    for number, name in enumerate(group):
        if number >= _MOST_NAMES:
            return
        if type(group.get(name, getlink=True)).__name__ != "HardLink":
            continue
        item = group[name]
        if hasattr(item, "shape"):
            yield prefix + name
        elif depth == 0:
            yield from _names(item, f"{name}/", 1)


def _rows(file: Path, name: str) -> Rows:
    with open_hdf5(file) as h5:
        dataset = find_dataset(h5, name, file)
        shape, dtype = tuple(dataset.shape), np.dtype(dataset.dtype.str)
    return Rows(Unpacked(file, partial(_unpack, file, name)), 0, shape, dtype)


def _labels(file: Path, pair: Pair) -> Labels | None:
    if pair.labels is None:
        return None
    with open_hdf5(file) as h5:
        dataset = find_dataset(h5, pair.labels, file)
        if dataset.nbytes > MOST_LABELS:
            raise DataError(f"{file}: {pair.labels} has {dataset.nbytes} bytes of labels; up to {MOST_LABELS} are read")
        try:
            return labels_of(dataset[...], f"{file}: {pair.labels}")
        except _BROKEN as error:
            raise DataError(f"{file}: {pair.labels} cannot be read: {error}") from None


def _unpack(file: Path, name: str, out: BinaryIO) -> None:
    """Write the rows of a dataset one behind the other, a few chunks at a time."""
    with open_hdf5(file) as h5:
        dataset = find_dataset(h5, name, file)
        row = dataset.dtype.itemsize * prod(dataset.shape[1:])
        step = dataset.chunks[0] if dataset.chunks else 1
        step *= max(1, _BLOCK // (row * step))
        try:
            for start in range(0, dataset.shape[0], step):
                out.write(np.ascontiguousarray(dataset[start : start + step]).data)
        except _BROKEN as error:
            raise DataError(f"{file}: {name} cannot be read: {error}") from None


def _part(stem: str) -> Part | None:
    words = stem.lower().replace("-", "_").split("_")
    return next((PARTS[word] for word in words if word in PARTS), None)
