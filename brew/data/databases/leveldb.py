"""LevelDB, read-only, through plyvel (the `leveldb` extra; it has no wheel for Python 3.13 and later: leveldb_plain).

LevelDB writes into its folder even when it only reads: a lock, a log, a new manifest. So it is opened in a folder
of its own that links to the files of the database; these are neither copied nor changed, may lie on a read-only
disk, and any number of nets may read them. Folders that a killed process left are removed by the next one.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from brew.errors import DataError
from brew.files import lock, regular

from .database import Database, Record

_PREFIX, _CLAIM = "brew-leveldb-", "brew.claim"  # the folder of links, and a file in it that is locked while it is used


def has_plyvel() -> bool:
    """Whether plyvel is installed."""
    return importlib.util.find_spec("plyvel") is not None


class LevelDB(Database):
    """The records of the LevelDB in folder `path`."""

    backend = "LEVELDB"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import plyvel

        _check_files(path)
        _remove_abandoned(Path(tempfile.gettempdir()))
        self._folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        self._claim: BinaryIO | None = None
        with suppress(OSError):  # no locks here: no other process removes the folder either
            self._claim = lock.take(folder / _CLAIM)
        for file in path.iterdir():
            if file.name != "LOCK":
                (folder / file.name).symlink_to(file.resolve())
        self._errors: Any = plyvel.Error
        try:
            self._database: Any = plyvel.DB(self._folder.name, create_if_missing=False)
        except (plyvel.Error, OSError) as error:
            self._let_go()
            raise DataError(f"LevelDB {path} cannot be opened: {error}") from None
        if next(self.scan(0), None) is None:
            self.close()
            raise DataError(f"LevelDB {path} is empty: it has no record")

    @cached_property
    def length(self) -> int:
        """Counted by a walk over the keys: LevelDB keeps no number."""
        with self._database.iterator(include_value=False) as keys:
            return sum(1 for _ in keys)

    def scan(self, skip: int) -> Generator[Record, None, None]:
        start: bytes | None = None
        if skip:
            with self._database.iterator(include_value=False) as keys:
                start = next(islice(keys, skip, None))
        try:
            with self._database.iterator(start=start, verify_checksums=True) as items:
                yield from items
        except self._errors as error:
            raise self._damaged(error) from None

    def keys(self) -> Iterator[bytes]:
        try:
            with self._database.iterator(include_value=False) as keys:
                yield from keys
        except self._errors as error:
            raise self._damaged(error) from None

    def read(self, keys: Iterable[bytes]) -> Generator[Record, None, None]:
        for key in keys:
            try:
                value = self._database.get(key, verify_checksums=True)
            except self._errors as error:
                raise self._damaged(error) from None
            if value is None:
                raise self.gone(key)
            yield key, value

    def last(self) -> Record:
        try:
            with self._database.iterator(reverse=True, verify_checksums=True) as items:
                record: Record = next(items)
                return record
        except self._errors as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"LevelDB {self.path} is damaged: {error}")

    def close(self) -> None:
        if not self._database.closed:
            self._database.close()
            self._let_go()

    def _let_go(self) -> None:
        self._folder.cleanup()
        if self._claim is not None:
            self._claim.close()


def _check_files(folder: Path) -> None:
    """DataError unless all files in `folder` are such that LevelDB can read them to their end."""
    for file in folder.iterdir():
        try:
            if not file.is_dir():
                regular.check(file)
        except OSError as error:
            raise DataError(f"LevelDB {folder} cannot be opened: {file.name}: {error.strerror}") from None


def _remove_abandoned(temporary: Path) -> None:
    """Remove the folders of processes that were killed; those in use are locked."""
    for folder in temporary.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or gone by now
            if (folder / _CLAIM).is_file() and (claim := lock.take(folder / _CLAIM)) is not None:
                with claim:
                    shutil.rmtree(folder)
