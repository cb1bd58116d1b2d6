"""Files that appear whole or not at all: written beside the target, flushed to disk, then renamed over it.

Of several files that belong together the last is the record that the others are complete. All are written and flushed
before the first is renamed, and until the record is in place the files it replaces stand beside the new ones, as
`<name>.old`: at every instant the old files or the new ones are all there (docs/decisions/0004).
"""

from __future__ import annotations

import errno
import logging
import os
import platform
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from brew.errors import ResourceError
from brew.units import mib

from .overwriting import Kind, check
from .regular import NotRegular

log = logging.getLogger("brew")

_PROCESS = secrets.token_hex(4)  # tells this process from an earlier one of the same number, as in containers
_TEMPORARY = re.compile(r"\..+\.(?P<host>[^.]+)\.(?P<pid>\d+)\.(?P<process>[0-9a-f]{8})[0-9a-f]{4}\.tmp")
_SPARE = 1.2  # of free space, over what is going to be written


@contextmanager
def replacing(path: str | Path, kind: Kind, *, overwrite: bool | None = None) -> Iterator[Path]:
    """Yield a path to write; when the block ends well, it becomes `path`. Otherwise `path` is as it was.

    The temporary file stands in the same folder, so that the rename cannot cross file systems, and has the mode the
    umask says. ResourceError when the disk is full, the folder cannot be written, or the existing file may not be
    replaced by one of this kind (brew.files.overwriting).
    """
    with replacing_all([(path, kind)], overwrite=overwrite) as [temporary]:
        yield temporary


@contextmanager
def replacing_all(files: Sequence[tuple[str | Path, Kind]], *, overwrite: bool | None = None) -> Iterator[list[Path]]:
    """As `replacing`, for files of one folder that belong together; the last one is their record."""
    targets = [Path(path) for path, _ in files]
    for (path, kind), target in zip(files, targets, strict=True):
        if not target.name:
            raise ResourceError(f'cannot write "{path}": a file name is needed')
        check(target, kind, overwrite=overwrite)
        if target is not targets[-1]:
            check(old_name(target), kind, overwrite=overwrite)
    temporaries: list[Path] = []
    try:
        for target in targets:
            temporaries.append(_create_beside(target))
        yield temporaries
        for temporary in temporaries:
            flush(temporary)
        _put_in_place(temporaries, targets)
    except OSError as error:
        names = " and ".join(map(str, targets))
        raise ResourceError(f"cannot write {names}: {reason(error)}") from error
    finally:
        for temporary in temporaries:
            _remove(temporary)


def flush(path: Path) -> None:
    """Bring what was written to a file to the disk; OSError."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def reason(error: OSError) -> str:
    """The system's message for an error; h5py's own fills a paragraph."""
    if isinstance(error, NotRegular) or not error.errno:
        return str(error)
    return os.strerror(error.errno)


def old_name(path: Path) -> Path:
    """The name of the file that is being replaced, until the record of the new ones is in place."""
    return path.with_name(f"{path.name}.old")


def put_back(path: Path) -> None:
    """Undo the replacing of `path`, where the file before it still stands beside it."""
    old = old_name(path)
    if old.exists():
        old.replace(path)
        old.unlink(missing_ok=True)  # two names of one file: the rename did nothing


def _create_beside(target: Path) -> Path:
    """A new empty file in `target`'s folder, named after it and this process."""
    temporary = _name_beside(target)
    with temporary.open("xb"):
        pass
    return temporary


def _name_beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{_host()}.{os.getpid()}.{_PROCESS}{secrets.token_hex(2)}.tmp")


@contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, which is gone at the end. OSError.

    Those that were made for this target by processes that were killed are removed.
    """
    _remove_abandoned(target)
    folder = _name_beside(target)
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put_in_place(temporaries: Sequence[Path], targets: Sequence[Path]) -> None:
    *parts, record = targets
    before = [path for path in parts if path.exists()]
    done: list[Path] = []
    try:
        for path in before:
            _set_aside(path)
        if before:
            sync_folder(record.parent)
        for temporary, target in zip(temporaries, targets, strict=True):
            temporary.replace(target)
            done.append(target)
            if target is not record:
                sync_folder(target.parent)
    except OSError:
        _take_back(before, [path for path in done if path not in before])
        raise
    # From here on the new files count. While the rename may not be on disk, the old ones stay.
    sync_folder(record.parent)
    for path in before:
        _remove(old_name(path))


def _take_back(before: Sequence[Path], new: Sequence[Path]) -> None:
    """Undo the renames; a file that cannot be put back keeps its second name, under which readers find it."""
    for path in before:
        try:
            put_back(path)
        except OSError as error:
            log.warning("%s stays as %s: %s", path, old_name(path), reason(error))
    for path in new:
        _remove(path)


def _set_aside(path: Path) -> None:
    """Give the file a second name; where the file system knows no second names, another one."""
    old = old_name(path)
    old.unlink(missing_ok=True)
    try:
        old.hardlink_to(path)
    except OSError:
        path.rename(old)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s is left behind: %s", path, reason(error))


def sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where folders can be opened (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- before a run, and before a file ----------------------------------------------------------------------------------


def check_writable(prefix: str | Path) -> None:
    """ResourceError unless files beginning with `prefix` can be created; leaves nothing behind.

    Temporary files under this prefix of processes that have ended are removed.
    """
    first = Path(f"{prefix}_")
    try:
        _create_beside(first).unlink()
    except OSError as error:
        what = f"folder {first.parent} does not exist" if error.errno == errno.ENOENT else reason(error)
        raise ResourceError(
            f'cannot write snapshots to "{prefix}": {what}', hint="make the folder, or change snapshot_prefix"
        ) from error
    _remove_abandoned(first)


def _remove_abandoned(first: Path) -> None:
    """What processes that have ended left beside targets whose names begin with that of `first`."""
    with suppress(OSError):  # a folder that can be written and not listed
        for path in first.parent.iterdir():
            if path.name.startswith(f".{first.name}") and _is_abandoned(path.name):
                log.info("removing %s, left by a process that is gone", path)
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    _remove(path)


def check_space(folder: Path, size: int) -> None:
    """ResourceError when `folder` has not got room for `size` bytes and a fifth more."""
    needed = int(size * _SPARE)
    with suppress(OSError):  # where the system does not tell, writing shows it
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise ResourceError(
                f"{folder} has {free} bytes ({mib(free)}) free, {needed} bytes ({mib(needed)}) are needed",
                hint="free some space; `keep` limits how many snapshots are kept",
            )


def _is_abandoned(name: str) -> bool:
    """Whether a temporary file was made on this machine by a process that runs no more."""
    made = _TEMPORARY.fullmatch(name)
    if made is None or made["host"] != _host():
        return False
    pid = int(made["pid"])
    return made["process"] != _PROCESS if pid == os.getpid() else not _is_running(pid)


def _is_running(pid: int) -> bool:
    if os.name == "nt":
        return True  # there is no harmless way to ask
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _host() -> str:
    return re.sub(r"[^\w-]", "_", platform.node())
