"""SHA-256 of weights files: while they are written, and of existing ones."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from brew.files import regular

if TYPE_CHECKING:
    from .caffemodel_writer import Writer


class HashedStream:
    """Writes to a stream and hashes the pieces meanwhile, so that a snapshot need not be read back.

    Pieces must not change until `hexdigest` returns: they wait in memory for the hash, which is slower than some
    disks. With `keep` any number may wait (the caller keeps them in memory anyway), else one only.
    """

    def __init__(self, stream: Writer, *, keep: bool = True) -> None:
        self._stream = stream
        self._keep = keep
        self._hash = hashlib.sha256()
        self._beside = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def write(self, piece: bytes | memoryview, /) -> int:
        """Write the piece; the hash follows in a thread of its own."""
        if self._last is not None and not self._keep:
            self._last.result()
        self._last = self._beside.submit(self._hash.update, piece)
        return self._stream.write(piece)

    def hexdigest(self) -> str:
        """Of everything written; nothing can be written after it."""
        self._beside.shutdown()
        return self._hash.hexdigest()


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    with regular.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
