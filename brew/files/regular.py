"""Reading files that have an end: FIFOs, devices and sockets are refused before a byte of them is read.

A path may come from an untrusted list; opening a FIFO waits for a writer, for ever, and /dev/zero has no end. Every
reader of whole files uses this module; those that pass a path to a library (LMDB, HDF5) call `check` first.
"""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

MOST = 2 << 30  # bytes that are read in one piece

_KINDS = (
    (stat.S_ISDIR, errno.EISDIR, "this is a folder"),
    (stat.S_ISFIFO, errno.EINVAL, "this is a FIFO (a named pipe)"),
    (stat.S_ISCHR, errno.EINVAL, "this is a device"),
    (stat.S_ISBLK, errno.EINVAL, "this is a device"),
    (stat.S_ISSOCK, errno.EINVAL, "this is a socket"),
)


class NotRegular(OSError):
    """The path leads to no regular file, or to one that is too large; readers report it as any OSError."""

    def __str__(self) -> str:
        return str(self.strerror)


def check(path: str | Path) -> int:
    """The size in bytes of the regular file `path`; NotRegular for anything else, OSError where there is none."""
    try:
        return _size(Path(path).stat(), path)
    except ValueError:
        raise NotRegular(errno.EINVAL, "no file has a name with a NUL in it", str(path)) from None


def opened(path: str | Path) -> BufferedReader:
    """The regular file `path`, open to read; OSError. The open file is checked, which cannot be swapped any more."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    check(path)  # before, for what cannot be opened (a socket), and after
    descriptor = os.open(path, flags)
    try:
        _size(os.fstat(descriptor), path)
    except NotRegular:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def read_bytes(path: str | Path, most: int = MOST) -> bytes:
    """The contents of the regular file `path`, of `most` bytes at most; OSError."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise NotRegular(errno.EFBIG, f"the file has {size} bytes, up to {most} are read", str(path))
        return file.read(size)  # a file of /proc has no size: it may have no end either


def head(path: str | Path, size: int) -> bytes:
    """The first `size` bytes of the regular file `path`, or all of them; OSError."""
    with opened(path) as file:
        return file.read(size)


def read_text(path: str | Path, encoding: str = "utf-8", errors: str = "strict", most: int = MOST) -> str:
    """The same as text, with every kind of line end as a newline; UnicodeDecodeError too."""
    text = read_bytes(path, most).decode(encoding, errors)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _size(status: os.stat_result, path: str | Path) -> int:
    for is_this, number, what in _KINDS:
        if is_this(status.st_mode):
            raise NotRegular(number, f"{what}; a regular file is needed", str(path))
    return status.st_size
