"""Files compressed by gzip, unpacked piece by piece up to a size that is known before."""

from __future__ import annotations

import gzip
import zlib
from functools import partial
from pathlib import Path
from typing import BinaryIO

from brew.errors import DataError
from brew.files import regular

from .stored import PIECE, Stored, Unpacked

_MOST_RATIO = 1040  # that gzip can reach
_SIGN = b"\x1f\x8b"
BROKEN = (OSError, EOFError, zlib.error)


def is_gzipped(path: Path) -> bool:
    """Whether it begins as gzip's files do; OSError."""
    return regular.head(path, len(_SIGN)) == _SIGN


def first_bytes(path: Path, size: int) -> bytes:
    """The first bytes of a file, unpacked where it is compressed; DataError."""
    try:
        if not is_gzipped(path):
            return regular.head(path, size)
        with regular.opened(path) as packed, gzip.open(packed) as file:
            return file.read(size)
    except BROKEN as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def stored_of_size(path: Path, size: int) -> Stored:
    """The bytes of a file that unpacks to `size` of them; DataError where it has others (a compressed one: later)."""
    try:
        if is_gzipped(path):
            if size > _MOST_RATIO * regular.check(path):
                raise DataError(f"{path} says that it unpacks to {size} bytes, which gzip cannot do")
            return Unpacked(path, partial(_unpack, path, size))
        there = regular.check(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    if there != size:
        raise DataError(f"{path} has {there} bytes; by its beginning {size} are expected")
    return Stored(path)


def _unpack(path: Path, size: int, out: BinaryIO) -> None:
    left = size
    try:
        with regular.opened(path) as packed, gzip.open(packed) as file:
            while left and (piece := file.read(min(PIECE, left))):
                out.write(piece)
                left -= len(piece)
            more = file.read(1)
    except BROKEN as error:
        raise DataError(f"{path} cannot be unpacked: {error}") from None
    if left or more:
        raise DataError(
            f"{path} unpacks to {'more' if more else size - left} bytes; by its beginning {size} are expected"
        )
