"""The order in which a source's records come, epoch by epoch.

Shuffled, every order of all records may come, unless single records from anywhere are slow to read: rows of HDF5
chunks, of which each is unpacked as a whole, and records of a large database on a disk. These are mixed in two steps:
blocks of neighbours come in random order, and all records of a window of blocks do.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from brew.layer.random import Stream

Numbers: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Mixing:
    """How many rows a block has (the last one of a file may have fewer), and how many blocks a window."""

    rows: int
    blocks: int


class RowOrder:
    """The order of `rows` rows (or records) in one epoch: a function of the streams and `index`, which tells the epoch.

    `numbers` has the rows in their order, `in_blocks` those of each window as they lie there, block after block.
    """

    def __init__(self, rows: int, mixing: Mixing | None, of_rows: Stream, of_blocks: Stream, index: int) -> None:
        self.numbers: npt.NDArray[np.intp]
        if mixing is None:
            self.numbers = self.in_blocks = of_rows.permutation(rows, index=index)
            self._windows: list[Numbers] = [()]
            self._stops = np.array([rows])
            return
        blocks = of_blocks.permutation(-(-rows // mixing.rows), index=index)
        sizes = np.minimum(mixing.rows, rows - blocks * mixing.rows)
        ends = np.cumsum(sizes)
        self.in_blocks = np.repeat(blocks * mixing.rows - (ends - sizes), sizes) + np.arange(rows)
        window = np.repeat(np.arange(len(blocks)) // mixing.blocks, sizes)
        self.numbers = self.in_blocks[np.lexsort((of_rows.words(rows, index=index), window))]
        starts = range(0, len(blocks), mixing.blocks)
        self._windows = [tuple(blocks[start : start + mixing.blocks].tolist()) for start in starts]
        self._stops = ends[[min(start + mixing.blocks, len(blocks)) - 1 for start in starts]]

    def window(self, position: int) -> tuple[int, Numbers, Numbers]:
        """Of the window that holds `position` in `numbers`: where it ends, its blocks, and those of the next one."""
        number = int(np.searchsorted(self._stops, position, side="right"))
        coming = self._windows[number + 1] if number + 1 < len(self._windows) else ()
        return int(self._stops[number]), self._windows[number], coming


class Order:
    """The order of `count` records over all epochs: as stored, or shuffled, every epoch in its own order.

    `mixing` says how where they are not all mixed with all.

    Up to `rand_skip` - 1 records are skipped at the start. Both are functions of the seed and the layer's name.
    """

    def __init__(
        self, count: int, *, shuffle: bool, rand_skip: int, seed: int, name: str, mixing: Mixing | None = None
    ) -> None:
        self._count = count
        self._shuffle = shuffle
        self._mixing = mixing
        self._blocks = Stream(seed, f"{name}/blocks")
        self._stream = Stream(seed, f"{name}/order")
        self._skip = int(Stream(seed, f"{name}/skip").words(1)[0]) % rand_skip if rand_skip else 0
        self._epoch: int | None = None

    def onward(self, record: int) -> Iterator[int]:
        """The numbers of the records from record number `record` on, for ever."""
        return (self.numbers(each, 1)[0] for each in itertools.count(record))

    def numbers(self, record: int, count: int, *, in_blocks: bool = False) -> list[int]:
        """The numbers of `count` records from record number `record` (counted over epochs) on.

        With `in_blocks` those of each window are as they lie there.
        """
        result: list[int] = []
        while len(result) < count:
            epoch, start = divmod(self._skip + record + len(result), self._count)
            if epoch != self._epoch:
                self._numbers = self._in_blocks = np.arange(self._count)
                if self._shuffle:
                    order = RowOrder(self._count, self._mixing, self._stream, self._blocks, epoch)
                    self._numbers, self._in_blocks = order.numbers, order.in_blocks
                self._epoch = epoch
            numbers = self._in_blocks if in_blocks else self._numbers
            result += numbers[start : start + count - len(result)].tolist()
        return result
