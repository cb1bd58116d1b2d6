"""LMDBs of records that are at hand: whole or not at all, and no bigger than their content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .database import Record
from .new import new_database


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
    with new_database(folder, overwrite=overwrite) as database:
        for key, value in records:
            database.put(key, value)
        database.finish()
        yield database.count
