"""A database's records in random order: its keys are kept in memory, its values are read by key."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterable
from itertools import count

from brew.data.databases.database import Database, Record

from .order import Order

_STRETCH = 64  # records whose numbers are looked up at once


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


def shuffled(database: Database, start: int, *, seed: int, name: str) -> Generator[Record, None, None]:
    """All records without end, every epoch in an order of its own, from record `start` (counted over epochs) on.

    The order is a function of the seed, the layer's `name` and the epoch. All keys are read first (not the values);
    they and the order of the epoch stay in memory: 16 bytes a record and its key.
    """
    keys = Keys(database.keys())
    order = Order(len(keys), shuffle=True, rand_skip=0, seed=seed, name=name)
    yield from database.read(
        keys[number] for record in count(start, _STRETCH) for number in order.numbers(record, _STRETCH)
    )
