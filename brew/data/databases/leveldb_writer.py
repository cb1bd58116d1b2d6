"""A LevelDB that grows record by record, through plyvel."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from brew.errors import DataError, ResourceError

from .database import Record

_PER_COMMIT = 1000  # records, as Caffe's programs
_BYTES = 16 << 20  # of records that wait for their commit
_HINT = 'pip install "brew-caffe[leveldb]" on Python 3.11 or 3.12 (later ones have no wheel of it), or write an LMDB'


class LevelDBAppender:
    """A new LevelDB in `grown`, which is not there yet, made for `folder`; OSError where it cannot be written.

    DataError without plyvel.
    """

    def __init__(self, grown: Path, folder: Path) -> None:
        try:
            import plyvel
        except ImportError:
            raise DataError(f"{folder} is to be a LevelDB, and plyvel is not installed", hint=_HINT) from None
        self._error: type[Exception] = plyvel.Error
        self._waiting: list[tuple[bytes, bytes]] = []
        self._bytes = 0
        try:
            self._database: Any = plyvel.DB(str(grown), create_if_missing=True, error_if_exists=True)
        except plyvel.Error as error:
            raise OSError(str(error)) from None

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record."""
        self._waiting.append((key, value))
        self._bytes += len(value)
        if len(self._waiting) == _PER_COMMIT or self._bytes > _BYTES:
            self._commit()

    def finish(self) -> None:
        """Write what waits, on disk, and close the files."""
        self._commit()
        self.close()

    def close(self) -> None:
        """Close the files; what waits is lost."""
        self._database.close()

    def _commit(self) -> None:
        if not self._waiting:
            return
        try:
            with self._database.write_batch(sync=True) as batch:
                for key, value in self._waiting:
                    batch.put(key, value)
        except self._error as error:
            raise OSError(str(error)) from None
        self._waiting, self._bytes = [], 0


def write_leveldb(folder: Path, records: Iterable[Record]) -> int:
    """Write `records` as the LevelDB `folder`, which is not there yet; returns their number.

    DataError without plyvel, ResourceError where it cannot be written.
    """
    count = 0
    try:
        with closing(LevelDBAppender(folder, folder)) as database:
            for key, value in records:
                database.put(key, value)
                count += 1
            database.finish()
    except OSError as error:
        raise ResourceError(f"the LevelDB {folder} cannot be written: {error}") from None
    return count
