"""LevelDB, read-only, in Python alone: where plyvel has no wheel. Slower than that, and nothing is written or linked.

The manifest says which tables there are, by levels; logs have what was written since. Tables of level 0 may overlap,
those of a deeper level follow one another. Of one key the entry with the greatest sequence counts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from heapq import merge
from itertools import islice
from pathlib import Path

from brew.errors import DataError
from brew.files import regular, varints

from .database import Database, Record
from .leveldb_files import (
    FOOTER,
    TRAILER,
    Damaged,
    Entry,
    as_entry,
    batch_entries,
    block,
    entries,
    log_records,
    table_index,
    text,
)

_COMPARATOR = b"leveldb.BytewiseComparator"
_TEXTS = {1: "comparator"}  # tags of a manifest's record, by what follows
_NUMBERS = (2, 3, 4, 9)
_LOG, _PREVIOUS_LOG, _COMPACTED, _DELETED, _NEW = 2, 9, 5, 6, 7


@dataclass(frozen=True)
class Table:
    """A file of entries in the order of their keys."""

    path: Path
    smallest: bytes
    largest: bytes

    @cached_property
    def index(self) -> list[tuple[bytes, int, int]]:
        """Of every block the last key, where it begins, and its size."""
        with regular.opened(self.path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - FOOTER))
            start, length = table_index(file.read())
            file.seek(start)
            contents = block(file.read(length + TRAILER))
        found = []
        for key, handle in entries(contents):
            at = varints.read(handle, 0)
            found.append((key[:-8], at[0], varints.read(handle, at[1])[0]))
        return found

    def block(self, number: int) -> list[Entry]:
        """The entries of a block."""
        _, start, length = self.index[number]
        with regular.opened(self.path) as file:
            file.seek(start)
            return [as_entry(key, value) for key, value in entries(block(file.read(length + TRAILER)))]

    def entries(self) -> Iterator[Entry]:
        """All entries."""
        for number in range(len(self.index)):
            yield from self.block(number)


class PlainLevelDB(Database):
    """The records of the LevelDB in folder `path`."""

    backend = "LEVELDB"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._damages():
            self._levels, logs = self._manifest()
            written: dict[bytes, Entry] = {}
            for log in logs:
                for record in log_records(regular.read_bytes(log)):
                    written.update((entry.key, entry) for entry in batch_entries(record))
        self._written = dict(sorted(written.items()))
        self._block = lru_cache(64)(Table.block)
        if next(self.scan(0), None) is None:
            raise DataError(f"LevelDB {path} is empty: it has no record")

    @contextmanager
    def _damages(self) -> Iterator[None]:
        """DataError for whatever is found wrong inside."""
        try:
            yield
        except (Damaged, IndexError) as error:
            what = error if isinstance(error, Damaged) else "a number leads out of its file"
            raise DataError(f"LevelDB {self.path} is damaged: {what}") from None
        except OSError as error:
            raise DataError(f"LevelDB {self.path} cannot be read: {error.strerror or error}") from None

    def _manifest(self) -> tuple[list[list[Table]], list[Path]]:
        """The tables by levels, the newest of level 0 first, and the logs."""
        name = regular.read_bytes(self.path / "CURRENT").decode("ascii", "replace").strip()
        if "/" in name or not name.startswith("MANIFEST-"):
            raise Damaged(f"CURRENT names no manifest: {name!r}")
        tables: dict[tuple[int, int], Table] = {}
        numbers = dict.fromkeys(_NUMBERS, 0)
        for record in log_records(regular.read_bytes(self.path / name), whole=True):
            self._edit(record, tables, numbers)
        levels: list[list[Table]] = [[] for _ in range(1 + max((level for level, _ in tables), default=0))]
        for (level, _), table in sorted(tables.items(), reverse=True):
            levels[level].append(table)
        for deeper in levels[1:]:
            deeper.sort(key=lambda table: table.smallest)
        since = {int(path.stem): path for path in self.path.glob("*.log") if path.stem.isdecimal()}
        logs = [path for n, path in sorted(since.items()) if n >= numbers[_LOG] or n == numbers[_PREVIOUS_LOG]]
        return levels, logs

    def _edit(self, record: bytes, tables: dict[tuple[int, int], Table], numbers: dict[int, int]) -> None:
        """What a record of the manifest changes."""
        at = 0
        while at < len(record):
            tag, at = varints.read(record, at)
            if tag in _TEXTS:
                comparator, at = text(record, at)
                if comparator != _COMPARATOR:
                    raise Damaged(f"its keys are in an order of their own ({comparator.decode(errors='replace')})")
            elif tag in numbers:
                numbers[tag], at = varints.read(record, at)
            elif tag == _COMPACTED:
                _, at = text(record, varints.read(record, at)[1])
            elif tag in (_DELETED, _NEW):
                level, at = varints.read(record, at)
                number, at = varints.read(record, at)
                if tag == _DELETED:
                    tables.pop((level, number), None)
                    continue
                smallest, at = text(record, varints.read(record, at)[1])
                largest, at = text(record, at)
                names = [self.path / f"{number:06d}.{ending}" for ending in ("ldb", "sst")]
                path = next((path for path in names if path.exists()), names[0])
                tables[level, number] = Table(path, smallest[:-8], largest[:-8])
            else:
                raise Damaged(f"the manifest has a field {tag} that is not known")

    # --- records ------------------------------------------------------------------------------------------------------

    def _sources(self) -> list[Iterator[Entry]]:
        """What is to be merged: the logs, each table of level 0, each deeper level."""
        first, *deeper = self._levels
        levels = [(entry for table in level for entry in table.entries()) for level in deeper]
        return [iter(self._written.values()), *(table.entries() for table in first), *levels]

    def _all(self) -> Iterator[Record]:
        """All records in the order of their keys."""
        last: bytes | None = None
        with self._damages():
            for entry in merge(*self._sources(), key=lambda entry: (entry.key, -entry.sequence)):
                if entry.key != last:
                    last = entry.key
                    if entry.value is not None:
                        yield entry.key, entry.value

    @cached_property
    def length(self) -> int:
        """Counted by a walk over all records: LevelDB keeps no number."""
        return sum(1 for _ in self._all())

    def scan(self, skip: int) -> Generator[Record, None, None]:
        yield from islice(self._all(), skip, None)

    def keys(self) -> Iterator[bytes]:
        return (key for key, _ in self._all())

    def read(self, keys: Iterable[bytes]) -> Generator[Record, None, None]:
        for key in keys:
            with self._damages():
                value = self._get(key)
            if value is None:
                raise self.gone(key)
            yield key, value

    def _get(self, key: bytes) -> bytes | None:
        """The newest value of a key: in the logs, or in the first level that knows it."""
        known = [self._written[key]] if key in self._written else []
        for level in self._levels:
            if known:
                break
            for table in level:
                if table.smallest <= key <= table.largest:
                    number = bisect_left(table.index, (key,))
                    if number < len(table.index):
                        known += [entry for entry in self._block(table, number) if entry.key == key]
        return max(known, key=lambda entry: entry.sequence).value if known else None

    def last(self) -> Record:
        *_, record = self._all()
        return record

    def close(self) -> None:
        """Nothing stays open."""
