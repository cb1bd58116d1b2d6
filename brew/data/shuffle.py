"""A database's records in random order: its keys are kept in memory, its values are read by key."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import cache
from itertools import count, islice

from brew.data.databases.database import Database, Record, Records

from .order import Mixing, Order

_STRETCH = 64  # records whose numbers are looked up at once
_RUNS = 16  # runs of records that are mixed in a window


class Keys:
    """Keys in one piece of memory: 8 bytes for each besides the key itself."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._text = bytearray()
        self._ends = array("q", [0])
        for key in keys:
            self._text += key
            self._ends.append(len(self._text))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> bytes:
        return bytes(self._text[self._ends[number] : self._ends[number + 1]])


def shuffled(database: Database, start: int, *, seed: int, name: str, window: int = 0) -> Records:
    """All records without end, every epoch in an order of its own, from record `start` (counted over epochs) on.

    The order is a function of the seed, the layer's `name` and the epoch. All keys are read first (not the values);
    they and the order of the epoch stay in memory: 16 bytes a record and its key.

    Any order may come, and records are read from anywhere. With a `window` of so many records, runs of a 16th of it
    come in any order, and the records of 16 runs mixed; a window ahead, runs are read as they lie there, so that the
    system has them in memory when single records are taken.
    """
    keys = cache(lambda: Keys(database.keys()))
    mixing = Mixing(-(-window // _RUNS), _RUNS) if window else None

    def wanted(*, in_blocks: bool = False) -> Iterator[bytes]:
        order = Order(len(keys()), shuffle=True, rand_skip=0, seed=seed, name=name, mixing=mixing)
        for record in count(start, _STRETCH):
            yield from map(keys().__getitem__, order.numbers(record, _STRETCH, in_blocks=in_blocks))

    def mixed() -> Generator[Record, None, None]:
        with closing(database.read(wanted())) as records, closing(database.read(wanted(in_blocks=True))) as ahead:
            for _ in islice(ahead, min(window, len(keys()))):
                pass
            for record in records:
                yield record
                next(ahead)

    return database.read(wanted()) if mixing is None else mixed()
