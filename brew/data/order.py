"""The order in which a source's records come, epoch by epoch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from brew.layer.random import Stream


class Order:
    """The order of `count` records over all epochs: as stored, or shuffled, every epoch in its own order.

    Up to `rand_skip` - 1 records are skipped at the start. Both are functions of the seed and the layer's name.
    """

    def __init__(self, count: int, *, shuffle: bool, rand_skip: int, seed: int, name: str) -> None:
        self._count = count
        self._shuffle = shuffle
        self._stream = Stream(seed, f"{name}/order")
        self._skip = int(Stream(seed, f"{name}/skip").words(1)[0]) % rand_skip if rand_skip else 0
        self._epoch: int | None = None

    def onward(self, record: int) -> Iterator[int]:
        """The numbers of the records from record number `record` on, for ever."""
        return (self.numbers(each, 1)[0] for each in itertools.count(record))

    def numbers(self, record: int, count: int) -> list[int]:
        """The numbers of `count` records from record number `record` (counted over epochs) on."""
        result: list[int] = []
        while len(result) < count:
            epoch, start = divmod(self._skip + record + len(result), self._count)
            if epoch != self._epoch:
                shuffled = self._stream.permutation(self._count, index=epoch) if self._shuffle else None
                self._numbers = np.arange(self._count) if shuffled is None else shuffled
                self._epoch = epoch
            result += self._numbers[start : start + count - len(result)].tolist()
        return result
