"""Files that a training appends to: in whole pieces, and without ending the training when the disk is full."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path
from typing import Protocol

from brew.errors import ResourceError

from . import regular

log = logging.getLogger("brew")

WAITING = 10_000  # pieces kept for a disk that is full; the oldest go first


class Sink(Protocol):
    """A stream of pieces; its failures are silent, or warnings of its own."""

    def write(self, piece: bytes, /) -> object: ...


class AppendedFile:
    """A file that grows by `write`. Every piece is passed to the system at once, so that a kill loses none of them.

    ResourceError when the file cannot be opened at the start. A piece that cannot be written later waits for the next
    `write`, and the file holds no part of it; of each stretch of failures the first one warns.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._waiting: deque[bytes] = deque(maxlen=WAITING)
        self._failing = False
        try:
            if self.path.exists():
                regular.check(self.path)
            _append(self.path, b"")
        except OSError as error:
            raise ResourceError(f"cannot write {self.path}: {error.strerror or error}") from error

    def write(self, piece: bytes, /) -> None:
        """Append the waiting pieces, then `piece`."""
        self._waiting.append(piece)
        try:
            while self._waiting:
                _append(self.path, self._waiting[0])
                self._waiting.popleft()
        except OSError as error:
            if not self._failing:
                log.warning(
                    "cannot write %s: %s; the training goes on, and what is missing is written when it can be",
                    self.path, error.strerror or error,
                )  # fmt: skip
            self._failing = True
            return
        if self._failing:
            log.info("%s can be written again", self.path)
        self._failing = False


def _append(path: Path, piece: bytes) -> None:
    """All of `piece` at the end of the file, or OSError and nothing of it."""
    with path.open("ab", buffering=0) as file:
        end = file.tell()
        try:
            left = memoryview(piece)
            while left:
                left = left[file.write(left) :]
        except OSError:
            file.truncate(end)
            raise
