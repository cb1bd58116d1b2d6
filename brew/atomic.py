"""Files that appear whole or not at all: written beside the target, flushed to disk, then renamed over it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from brew.errors import ResourceError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a path to write; when the block ends well, it becomes `path`. Otherwise `path` is as it was.

    The temporary file stands in the same folder, so that the rename cannot cross file systems. ResourceError when the
    disk is full or the folder cannot be written.
    """
    target = Path(path)
    if not target.name:
        raise ResourceError(f'cannot write "{path}": a file name is needed')
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise ResourceError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where folders can be opened (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_writable(prefix: str | Path) -> None:
    """ResourceError unless files beginning with `prefix` can be created; leaves nothing behind."""
    folder = Path(prefix).parent
    probe = Path(f"{prefix}.{os.getpid()}.tmp")
    try:
        with probe.open("xb"):
            pass
        probe.unlink()
    except OSError as error:
        what = f"folder {folder} does not exist" if not folder.is_dir() else str(error.strerror or error)
        raise ResourceError(
            f'cannot write snapshots to "{prefix}": {what}', hint="make the folder, or change snapshot_prefix"
        ) from error
