"""LevelDBs as Caffe's tools write them, through plyvel: whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from brew.errors import DataError, ResourceError

from .database import Record

_PER_COMMIT = 1000  # as Caffe's tools
_HINT = 'pip install "brew-caffe[leveldb]" on Python 3.11 or 3.12 (later ones have no wheel of it), or write an LMDB'


def write_leveldb(folder: Path, records: Iterable[Record]) -> int:
    """Write `records` as the LevelDB `folder`, which is not there yet; returns their number.

    DataError without plyvel, ResourceError where it cannot be written.
    """
    try:
        import plyvel
    except ImportError:
        raise DataError(f"{folder} is to be a LevelDB, and plyvel is not installed", hint=_HINT) from None
    try:
        database: Any = plyvel.DB(str(folder), create_if_missing=True, error_if_exists=True)
        with closing(database):
            return _fill(database, records)
    except (plyvel.Error, OSError) as error:
        raise ResourceError(f"the LevelDB {folder} cannot be written: {error}") from None


def _fill(database: Any, records: Iterable[Record]) -> int:
    count = 0
    iterator = iter(records)
    while chunk := list(islice(iterator, _PER_COMMIT)):
        with database.write_batch() as batch:
            for key, value in chunk:
                batch.put(key, value)
        count += len(chunk)
    return count
