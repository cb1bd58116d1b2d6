"""Opening a database of records of either kind, told apart by the contents of its folder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from brew.errors import DataError, Place
from brew.files.weights.recognising import recognise

from .database import Database
from .lmdb import LMDB

if TYPE_CHECKING:
    from .leveldb import LevelDB
    from .leveldb_plain import PlainLevelDB

log = logging.getLogger("brew")


def open_database(path: Path, said: str | None = None, *, what: str = "source", place: Place | None = None) -> Database:
    """Open the LMDB or LevelDB in folder `path`, told apart by its contents.

    `said` is the backend the prototxt names ("LMDB", "LEVELDB"), None where it names none; a log line says so when it
    is wrong. Raises DataError for anything that is no usable database with at least one record.
    """
    if not path.is_dir():
        expected = "the folder of an LMDB or LevelDB is expected"
        known = recognise(path)
        is_what = known.noun if known else "a file" if path.exists() else "not there"
        raise DataError(f"{what}: {path} is {is_what}; {expected}", place=place, hint=known.use if known else None)
    found: type[LMDB] | type[LevelDB] | type[PlainLevelDB]
    if (path / "data.mdb").exists():
        found = LMDB
    elif (path / "CURRENT").exists():
        found = _leveldb()
    else:
        raise DataError(f"{what}: {path} holds neither data.mdb (LMDB) nor CURRENT (LevelDB)", place=place)
    if said is not None and said != found.backend:
        log.info("%s%s: %s holds %s data and is read so, though the file says backend: %s",
                 f"{place}: " if place else "", what, path, found.backend, said)  # fmt: skip
    try:
        return found(path)
    except DataError as error:
        raise error.with_place(place) from None


def _leveldb() -> type[LevelDB] | type[PlainLevelDB]:
    """The faster of the two that can be had; most databases are LMDBs, and neither is loaded."""
    from .leveldb import LevelDB, has_plyvel

    if has_plyvel():
        return LevelDB
    from .leveldb_plain import PlainLevelDB

    return PlainLevelDB
