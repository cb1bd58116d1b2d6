"""LMDBs as Caffe's tools write them: whole or not at all, and no bigger than their content."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from brew.errors import DataError, ResourceError
from brew.units import mib

from .database import Record

_PER_COMMIT = 1000  # as Caffe's tools
_FILES = ("data.mdb", "lock.mdb", "labels.txt")  # all that the folder of an LMDB holds; names by brew.data.labels
_FIRST_MAP = 1 << 18  # bytes; doubled whenever it is full


def check_target(folder: Path, *, overwrite: bool = False) -> None:
    """DataError where `folder` is a file, holds something and may not be overwritten, or is no database."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; the folder of a database is to be written there")
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if not there:
        return
    others = [name for name in there if name not in _FILES or not (folder / name).is_file()]
    if others or "data.mdb" not in there:
        what = f"holds {', '.join(others[:3])}" if others else "is no LMDB"
        raise DataError(f"{folder} {what}: it is not replaced by a database", hint="choose another folder")
    if not overwrite:
        raise DataError(
            f"{folder} is already there and not empty", hint="--overwrite replaces it (overwrite=True from Python)"
        )


def write_lmdb(folder: Path, records: Iterable[Record], *, overwrite: bool = False) -> int:
    """Write `records`, in ascending order of their keys, as the LMDB `folder`; returns their number.

    The database appears at once when it is complete: it is written beside and moved. Raises DataError for a
    target that is in the way and for keys out of order, ResourceError when the disk is full or not writable.
    """
    with staged_lmdb(folder, records, overwrite=overwrite) as written:
        return written


@contextmanager
def staged_lmdb(folder: Path, records: Iterable[Record], *, overwrite: bool = False) -> Iterator[int]:
    """As `write_lmdb`; the database is complete when the block begins, and appears when the block ends well."""
    check_target(folder, overwrite=overwrite)
    with ExitStack() as stack:
        with _errors_of(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            beside = tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent)
            temporary = Path(stack.enter_context(beside))
            written = _write(records, temporary)
        yield written
        with _errors_of(folder):
            if folder.exists():
                check_target(folder, overwrite=overwrite)  # once more: writing took its time
                folder.replace(temporary / "before")
            (temporary / "compact").replace(folder)


@contextmanager
def _errors_of(folder: Path) -> Iterator[None]:
    import lmdb

    try:
        yield
    except (OSError, lmdb.Error) as error:
        raise ResourceError(f"the database {folder} cannot be written: {error}", hint=_room(folder.parent)) from None


def _room(folder: Path) -> str | None:
    """What is free there: LMDB calls a write that was cut short an input/output error."""
    try:
        return f"{mib(shutil.disk_usage(folder).free)} are free in {folder}"
    except OSError:
        return None


def _write(records: Iterable[Record], temporary: Path) -> int:
    """The database, as `compact` in this folder."""
    import lmdb

    grown, compact = temporary / "grown", temporary / "compact"
    compact.mkdir(mode=0o755)
    # Without a lock file: it is mapped memory, and where the disk is full the first write to that is SIGBUS.
    with lmdb.open(str(grown), map_size=_FIRST_MAP, sync=False, lock=False) as environment:
        written = sum(_put(environment, chunk) for chunk in _chunks(records))
        environment.copy(str(compact), compact=True)
    return written


def _chunks(records: Iterable[Record]) -> Iterator[list[Record]]:
    iterator = iter(records)
    while chunk := list(islice(iterator, _PER_COMMIT)):
        yield chunk


def _put(environment: Any, chunk: list[Record]) -> int:
    """One transaction, again with twice the room where it does not fit."""
    import lmdb

    while True:
        try:
            with environment.begin(write=True) as transaction:
                for key, value in chunk:
                    if not transaction.put(key, value, append=True):
                        raise DataError(f"key {key!r} does not come behind the one before it")
            return len(chunk)
        except lmdb.MapFullError:
            environment.set_mapsize(environment.info()["map_size"] * 2)
