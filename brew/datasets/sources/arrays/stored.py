"""Bytes on disk that any thread reads at any place: of a file as it lies there, or unpacked once to a temporary one."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from brew.errors import DataError
from brew.files import regular

PIECE = 1 << 20  # bytes that are copied at a time


class Stored:
    """The bytes of a regular file. It can be pickled; every process opens the file for itself, when it first reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()

    def read(self, offset: int, size: int, what: str) -> bytes:
        """`size` bytes from `offset` on; DataError, about `what`, where there are fewer."""
        try:
            file = self._opened()
            with self._lock:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise DataError(f"{what} cannot be read from {self.path}: {error.strerror or error}") from None
        if len(data) < size:
            raise DataError(f"{self.path} ends within {what}")
        return data

    def file(self) -> BinaryIO:
        """All of it as a file of one's own, at its beginning; OSError, DataError."""
        file = os.fdopen(os.dup(self._opened().fileno()), "rb")
        file.seek(0)
        return file

    def length(self) -> int:
        """How many bytes there are; OSError, DataError."""
        return os.fstat(self._opened().fileno()).st_size

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _opened(self) -> BinaryIO:
        with self._lock:
            if self._file is None:
                self._file = self._open()
                weakref.finalize(self, self._file.close)  # where the pile turned out to be none, nobody else does
            return self._file

    def _open(self) -> BinaryIO:
        return regular.opened(self.path)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_file", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _file=None, _lock=threading.Lock())


class Unpacked(Stored):
    """What `unpack` writes of `path`, in a file without a name in the folder for temporary files, when first read.

    For what can only be read from its beginning on: the room that it takes is on disk, not in memory.
    """

    def __init__(self, path: Path, unpack: Callable[[BinaryIO], None]) -> None:
        super().__init__(path)
        self._unpack = unpack

    def _open(self) -> BinaryIO:
        file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._unpack(file)
            file.flush()
        except BaseException:
            file.close()
            raise
        return file
