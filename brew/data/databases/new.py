"""A database that is written record by record beside its place, and comes there whole or not at all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from brew.errors import DataError, ResourceError
from brew.files.atomic import folder_beside
from brew.units import mib

from .leveldb_writer import LevelDBAppender
from .lmdb_appender import LmdbAppender

BACKENDS = ("LMDB", "LEVELDB")
_LABELS = "labels.txt"  # by brew.data.labels
# All that the folder of a database holds: by the file that tells which it is.
_FILES = {
    "data.mdb": re.compile(rf"data\.mdb|lock\.mdb|{re.escape(_LABELS)}"),
    "CURRENT": re.compile(rf"CURRENT|LOCK|LOG(\.old)?|MANIFEST-\d+|\d+\.(ldb|sst|log)|{re.escape(_LABELS)}"),
}


class _File(Protocol):
    def put(self, key: bytes, value: bytes) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


def check_target(folder: Path, *, overwrite: bool = False) -> None:
    """DataError where `folder` is a file, holds something and may not be overwritten, or is no database."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file; the folder of a database is to be written there")
    there = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if not there:
        return
    pattern = next((files for mark, files in _FILES.items() if mark in there), None)
    if pattern is None:
        raise DataError(
            f"{folder} holds {', '.join(there[:3])}: it is not replaced by a database", hint="choose another folder"
        )
    others = [name for name in there if not pattern.fullmatch(name) or not (folder / name).is_file()]
    if others:
        raise DataError(
            f"{folder} holds {', '.join(others[:3])}: it is not replaced by a database", hint="choose another folder"
        )
    if not overwrite:
        raise DataError(
            f"{folder} is already there and not empty", hint="--overwrite replaces it (overwrite=True from Python)"
        )


class NewDatabase:
    """What `new_database` gives: records go in by ascending keys, and `finish` completes it."""

    def __init__(self, folder: Path, file: _File) -> None:
        self.folder = folder
        self.count = 0  # records
        self._file = file
        self._is_whole = False

    def put(self, key: bytes, value: bytes) -> None:
        """Append a record. DataError for a key that is not behind the last one, ResourceError for a full disk."""
        with _errors_of(self.folder):
            self._file.put(key, value)
        self.count += 1

    def finish(self) -> None:
        """Bring all of it to the disk; nothing more is put in. A second call does nothing."""
        if not self._is_whole:
            with _errors_of(self.folder):
                self._file.finish()
            self._is_whole = True


@contextmanager
def new_database(folder: Path, backend: str = "LMDB", *, overwrite: bool = False) -> Iterator[NewDatabase]:
    """A new database for `folder`, of one of BACKENDS, which appears there when the block ends well.

    Raises DataError for a target that is in the way, and without plyvel for a LevelDB; ResourceError when the disk is
    full or not writable.
    """
    check_target(folder, overwrite=overwrite)
    with ExitStack() as stack:
        with _errors_of(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary = stack.enter_context(folder_beside(folder))
            file = _file(temporary / "whole", folder, backend)
        stack.callback(file.close)
        database = NewDatabase(folder, file)
        yield database
        database.finish()
        with _errors_of(folder):
            if folder.exists():
                check_target(folder, overwrite=overwrite)  # once more: writing took its time
                folder.replace(temporary / "before")
            (temporary / "whole").replace(folder)


def _file(grown: Path, folder: Path, backend: str) -> _File:
    if backend == "LEVELDB":
        return LevelDBAppender(grown, folder)
    grown.mkdir()
    return LmdbAppender(grown / "data.mdb")


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
