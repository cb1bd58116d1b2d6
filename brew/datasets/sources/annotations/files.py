"""The files of a pile by their names, in a folder or in a zip archive."""

from __future__ import annotations

import errno
import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, cast

from brew.datasets.sources.folders import files_below
from brew.datasets.sources.items import file_stamp
from brew.datasets.sources.trees import in_bytes_order, is_picture
from brew.errors import DataError
from brew.files import regular
from brew.files.regular import NotRegular

MOST = 1 << 30  # bytes of one file
_BROKEN = (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, KeyError)
LOOKED_AT = 10_000  # files, to recognise a pile
_SUSPICIOUS, _RATIO = 16 << 20, 500  # bytes that a member may unpack to, and times its size in the archive


class Files:
    """The files below a folder. Names are relative to it, with "/" between their parts. It can be pickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def names(self) -> Sequence[str]:
        """The names of all files, by their bytes; DataError."""
        try:
            return tuple(files_below(self.path))
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror or error}") from None

    def first_names(self) -> Iterable[str]:
        """The names of as many files as a pile is recognised by; OSError."""
        return islice(files_below(self.path), LOOKED_AT)

    @cached_property
    def known(self) -> frozenset[str]:
        """`names`, to ask whether there is one."""
        return frozenset(self.names)

    @cached_property
    def pictures(self) -> dict[str, str]:
        """The name of each picture by its name without an ending; of two that differ in it alone, the first."""
        found: dict[str, str] = {}
        for name in self.names:
            if is_picture(name):
                found.setdefault(name.rpartition(".")[0], name)
        return found

    def place(self, name: str) -> str:
        """How messages call a file."""
        return str(self.path / name)

    def open(self, name: str) -> BinaryIO:
        """A file, open to read; OSError."""
        return regular.opened(self.path / name)

    def read(self, name: str, most: int = MOST) -> bytes:
        """The content of a file of `most` bytes at most; DataError."""
        try:
            return regular.read_bytes(self.path / name, most)
        except OSError as error:
            raise DataError(f"{self.place(name)} cannot be read: {error.strerror or error}") from None

    def stamp(self, name: str) -> str:
        return file_stamp(self.path / name)

    def size(self, name: str) -> int | None:
        return (self.path / name).stat().st_size

    def close(self) -> None:
        """Nothing is open."""


class _Member(io.BufferedIOBase):
    """A member of a zip archive; what is broken in it is an OSError."""

    def __init__(self, member: IO[bytes]) -> None:
        self._member = member

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return self._member.read(-1 if size is None else size)
        except _BROKEN as error:
            raise OSError(str(error) or "it ends too early") from None

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return self._member.seek(offset, whence)
        except _BROKEN as error:
            raise OSError(str(error) or "it ends too early") from None

    def close(self) -> None:
        self._member.close()
        super().close()


class ZippedFiles(Files):
    """The files in a zip archive. Members that lead out of it, links among them, are not there."""

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        try:
            regular.check(self.path)
            return zipfile.ZipFile(self.path)
        except _BROKEN as error:
            raise DataError(f"{self.path} cannot be read as a zip archive: {error}") from None

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in vars(self).items() if key != "_zip"}

    @cached_property
    def names(self) -> Sequence[str]:
        members = (info for info in self._zip.infolist() if not info.is_dir() and not _is_link(info))
        return tuple(in_bytes_order(info.filename for info in members if inside("", info.filename) == info.filename))

    def first_names(self) -> Iterable[str]:
        return islice(self.names, LOOKED_AT)

    def place(self, name: str) -> str:
        return f"{self.path}/{name}"

    def open(self, name: str) -> BinaryIO:
        self._info(name)
        try:
            return cast("BinaryIO", _Member(self._zip.open(name)))
        except _BROKEN as error:
            raise OSError(str(error)) from None

    def read(self, name: str, most: int = MOST) -> bytes:
        try:
            info = self._info(name)
            if info.file_size > most:
                raise NotRegular(errno.EFBIG, f"it unpacks to {info.file_size} bytes, up to {most} are read")
            if info.file_size > max(_SUSPICIOUS, _RATIO * info.compress_size):
                raise NotRegular(errno.EFBIG, f"it unpacks to {info.file_size} bytes, and is taken for a bomb")
            return self._zip.read(name)
        except _BROKEN as error:
            raise DataError(f"{self.place(name)} cannot be read: {error or 'it ends too early'}") from None

    def stamp(self, name: str) -> str:
        info = self._info(name)
        return f"{info.file_size}.{info.CRC:08x}"

    def size(self, name: str) -> int | None:
        return self._info(name).file_size

    def _info(self, name: str) -> zipfile.ZipInfo:
        try:
            return self._zip.getinfo(name)
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "there is no such member", name) from None

    def close(self) -> None:
        self._zip.close()


def inside(folder: str, name: str) -> str | None:
    """The file that annotations in `folder` call `name`, as a name of the pile; None where it leads out of it.

    >>> inside("set/annotations", "../images/1.jpg")
    'set/images/1.jpg'
    >>> inside("set", "/etc/passwd") is inside("set", "../../x") is None
    True
    """
    if name.startswith("/") or "\0" in name:
        return None
    parts: list[str] = []
    for part in (*PurePosixPath(folder).parts, *name.split("/")):
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts) or None


def folder_of(name: str) -> str:
    """The folder that a file is in; "" for that of the pile."""
    return name.rpartition("/")[0]


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16)
