"""Locks on files, which the system releases when their process ends in any way; and the lock of a training."""

from __future__ import annotations

import errno
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from brew.errors import UsageError

log = logging.getLogger("brew")

# With these errors snapshots cannot be written either, which is an error before the training begins.
_NO_FOLDER = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EROFS, errno.ENAMETOOLONG, errno.EISDIR, errno.EPERM}


def take(path: Path) -> BinaryIO | None:
    """The file `path`, made where it is not there, and locked until it is closed; None when another one has it.

    OSError where the file cannot be opened, or where the system or the file system has no locks.
    """
    if sys.platform == "win32":
        raise OSError(errno.ENOSYS, "Windows has no flock")
    import fcntl

    while True:
        file = path.open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(file, path):
                return file
        except BlockingIOError:
            file.close()
            return None
        except BaseException:
            file.close()
            raise
        file.close()  # its holder removed it between our two calls


@contextmanager
def training(prefix: str) -> Iterator[None]:
    """Keep other trainings from writing snapshots to `prefix`, by a lock on `<prefix>.lock`, which goes at the end.

    UsageError that names the process that has it. A warning where there are no locks (Windows, some network file
    systems).
    """
    path = Path(f"{prefix}.lock")
    try:
        file = take(path)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        if getattr(error, "errno", 0) not in _NO_FOLDER and isinstance(error, OSError):
            reason = error.strerror or error
            log.warning("%s cannot be locked (%s): nothing keeps a second training from writing there", path, reason)
        yield
        return
    if file is None:
        raise UsageError(
            f'another training writes snapshots to "{prefix}": {holder(path)}',
            hint="wait for its end, or give this one a snapshot_prefix of its own: --set snapshot_prefix=other",
        )
    with file:
        sign(file)
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def _is_there(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def sign(file: BinaryIO) -> None:
    """Write into a locked file who has it, and since when; what cannot be written is left out."""
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    with suppress(OSError):
        file.truncate(0)
        os.write(file.fileno(), f"process {os.getpid()} on {platform.node()}, since {since}\n".encode())


def holder(path: Path) -> str:
    """Who has the lock on a file, as `sign` wrote it."""
    with suppress(OSError):
        if written := path.read_text("utf-8", errors="replace")[:300].strip():
            return f"{written} ({path})"
    return str(path)
