"""idx files, as MNIST has them, compressed or not: an array of records and one of labels for each part."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import ClassVar

import numpy as np

from brew.datasets.sources.items import Part
from brew.datasets.sources.trees import in_bytes_order
from brew.errors import DataError

from .array_pile import ArrayPair, ArrayPile
from .gzipped import first_bytes, stored_of_size
from .rows import OPTIONS, Rows, labels_of

_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_PARTS: tuple[tuple[str, Part], ...] = (("train", "train"), ("t10k", "test"), ("test", "test"), ("val", "val"))
_MOST_AXES = 8


class Idx(ArrayPile):
    """The idx files of a folder: NAME-images-idx3-ubyte and NAME-labels-idx1-ubyte, as they are called usually; or one
    of them, and its labels beside it.
    """

    kind = "idx"
    OPTIONS: ClassVar[Mapping[str, str]] = OPTIONS

    def __init__(self, path: Path, options: Mapping[str, str]) -> None:
        self.path = path
        folder = path if path.is_dir() else path.parent
        files = _idx_files(folder)
        images = {key: name for (key, is_labels), name in files.items() if not is_labels}
        if not path.is_dir():
            images = {key: name for key, name in images.items() if name == path.name}
        if not images:
            raise DataError(f"{path} has no idx files of records", hint="train-images-idx3-ubyte is how one is called")
        pairs = []
        for key, name in images.items():
            labels = files.get((key, True))
            paths = (folder / name, *((folder / labels,) if labels is not None else ()))
            column = None if labels is None else labels_of(read_header(folder / labels).whole(), labels)
            pairs.append(ArrayPair(key or "records", _part(name), read_header(folder / name), column, paths))
        self._take(pairs, options, colors="rgb")

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether there is a file that begins as idx files do, and is called as one of records."""
        try:
            if path.is_dir():
                return any(not is_labels for _, is_labels in _idx_files(path))
            return "idx" in path.name.lower() and _is_idx(path)
        except DataError:
            return False


def read_header(path: Path) -> Rows:
    """The rows of an idx file, by its first bytes; DataError."""
    head = first_bytes(path, 4 + 4 * _MOST_AXES)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not 1 <= head[3] <= _MOST_AXES:
        raise DataError(f"{path} begins with {head[:4].hex(' ')}: it is no idx file")
    axes = head[3]
    if len(head) < 4 + 4 * axes:
        raise DataError(f"{path} ends within the lengths of its {axes} axes")
    shape = struct.unpack(f">{axes}I", head[4 : 4 + 4 * axes])
    dtype = np.dtype(_TYPES[head[2]])
    start = 4 + 4 * axes
    return Rows(stored_of_size(path, start + dtype.itemsize * prod(shape)), start, shape, dtype)


def _idx_files(folder: Path) -> dict[tuple[str, bool], str]:
    """The files of a folder that are called idx files, by what a name has beside its role, and whether it is labels."""
    found: dict[tuple[str, bool], str] = {}
    try:
        names = in_bytes_order(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}") from None
    for name in names:
        low = name.lower()
        if re.search(r"[-._]idx", low) and _is_idx(folder / name):
            key = re.sub(r"[-._](idx\d*.*|images|labels|data)(?=[-._]|$)", "", low.removesuffix(".gz"))
            found.setdefault((key, "labels" in low), name)
    return found


def _is_idx(path: Path) -> bool:
    try:
        head = first_bytes(path, 4)
    except DataError:
        return False
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in _TYPES


def _part(name: str) -> Part | None:
    """The part with whose name a word of the file's name begins: "latest" is no test."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((part for start, part in _PARTS if any(word.startswith(start) for word in words)), None)
