"""The files of a pile in a tar archive that is not compressed, as Pascal VOC's years come."""

from __future__ import annotations

import errno
import io
import tarfile
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from brew.datasets.sources.arrays.stored import Stored
from brew.datasets.sources.arrays.tars import members, refusal
from brew.datasets.sources.items import Problem
from brew.datasets.sources.trees import in_bytes_order
from brew.errors import DataError
from brew.files import regular

from .files import LOOKED_AT, MOST, Files, inside


class TarredFiles(Files):
    """The files in a tar archive. Members that lead out of it, links among them, are not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._stored = Stored(path)

    @cached_property
    def _places(self) -> dict[str, tuple[int, int]]:
        """By name: where a member begins, and its bytes; DataError."""
        problems: list[Problem] = []
        try:
            end = self._stored.length()
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror or error}") from None
        found = {}
        for member in members(self._stored, self.path, problems):
            name = member.name.removeprefix("./")
            if not member.isdir() and refusal(member, end) is None and inside("", name) == name:
                found[name] = member.offset_data, member.size
        if problems:
            raise DataError(f"{self.path}: {problems[0].reason}")
        return found

    @cached_property
    def names(self) -> Sequence[str]:
        return tuple(in_bytes_order(self._places))

    def first_names(self) -> Iterable[str]:
        return (member.name.removeprefix("./") for member in islice(members(self._stored, self.path, []), LOOKED_AT))

    def place(self, name: str) -> str:
        return f"{self.path}/{name}"

    def open(self, name: str) -> BinaryIO:
        if name not in self._places:
            raise FileNotFoundError(errno.ENOENT, "there is no such member", name)
        return io.BytesIO(self.read(name))

    def read(self, name: str, most: int = MOST) -> bytes:
        if name not in self._places:
            raise DataError(f"{self.place(name)} cannot be read: there is no such member")
        offset, size = self._places[name]
        if size > most:
            raise DataError(f"{self.place(name)} has {size} bytes, up to {most} are read")
        return self._stored.read(offset, size, name)

    def stamp(self, name: str) -> str:
        return f"{self.size(name)}.{self.path.stat().st_mtime_ns}"

    def size(self, name: str) -> int | None:
        if name not in self._places:
            raise FileNotFoundError(errno.ENOENT, "there is no such member", name)
        return self._places[name][1]

    def close(self) -> None:
        self._stored.close()


def is_tar(path: Path) -> bool:
    """Whether it is a tar archive that is not compressed; OSError."""
    with regular.opened(path) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:"):
                return True
        except tarfile.TarError:
            return False
