"""The random order of a file's rows, where its datasets are stored in chunks and too large to be held.

A chunk is unpacked as a whole, so that single rows from anywhere would unpack the file again and again. Rows are mixed
in two steps instead: blocks of neighbouring rows come in random order, and all rows of a window of blocks do. Files
whose datasets are held, or lie in one piece on the disk, need no windows: every order of all their rows may come.
"""

from __future__ import annotations

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
    """The order of `rows` rows in one epoch: a function of the streams and `index`, which tells file and epoch.

    `numbers` has the rows in their order.
    """

    def __init__(self, rows: int, mixing: Mixing | None, of_rows: Stream, of_blocks: Stream, index: int) -> None:
        self.numbers: npt.NDArray[np.intp]
        if mixing is None:
            self.numbers = of_rows.permutation(rows, index=index)
            self._windows: list[Numbers] = [()]
            self._stops = np.array([rows])
            return
        blocks = of_blocks.permutation(-(-rows // mixing.rows), index=index)
        sizes = np.minimum(mixing.rows, rows - blocks * mixing.rows)
        ends = np.cumsum(sizes)
        rows_in_blocks = np.repeat(blocks * mixing.rows - (ends - sizes), sizes) + np.arange(rows)
        window = np.repeat(np.arange(len(blocks)) // mixing.blocks, sizes)
        self.numbers = rows_in_blocks[np.lexsort((of_rows.words(rows, index=index), window))]
        starts = range(0, len(blocks), mixing.blocks)
        self._windows = [tuple(blocks[start : start + mixing.blocks].tolist()) for start in starts]
        self._stops = ends[[min(start + mixing.blocks, len(blocks)) - 1 for start in starts]]

    def window(self, position: int) -> tuple[int, Numbers, Numbers]:
        """Of the window that holds `position` in `numbers`: where it ends, its blocks, and those of the next one."""
        number = int(np.searchsorted(self._stops, position, side="right"))
        coming = self._windows[number + 1] if number + 1 < len(self._windows) else ()
        return int(self._stops[number]), self._windows[number], coming
