"""LMDBs as Caffe's tools write them: whole or not at all, and no bigger than their content."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from brew.errors import DataError, ResourceError
from brew.units import mib

from .database import Record
from .lmdb_appender import LmdbAppender

_FILES = ("data.mdb", "lock.mdb", "labels.txt")  # all that the folder of an LMDB holds; names by brew.data.labels


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
            (temporary / "whole").replace(folder)


@contextmanager
def _errors_of(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResourceError(f"the database {folder} cannot be written: {error}", hint=_room(folder.parent)) from None


def _room(folder: Path) -> str | None:
    """What is free there."""
    try:
        return f"{mib(shutil.disk_usage(folder).free)} are free in {folder}"
    except OSError:
        return None


def _write(records: Iterable[Record], temporary: Path) -> int:
    """The database, as `whole` in this folder."""
    (temporary / "whole").mkdir()
    with closing(LmdbAppender(temporary / "whole" / "data.mdb")) as database:
        for key, value in records:
            database.put(key, value)
        database.finish()
        return database.written.records
