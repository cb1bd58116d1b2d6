"""Panels of a direct convolution (brew.cpu.native.grouped): which channels go together, and how their filters lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np

from brew.cpu.llvm.slots import Table
from brew.layer import Array

from . import grouped_code as code
from .blocked import width
from .grouped_plan import Filters


class Panels:
    """Panels of `columns` blocks of `outputs` channels, and of each the channels of `inputs` that its lanes need."""

    def __init__(self, outputs: int, inputs: int, group: int, columns: int, lanes: int = 1) -> None:
        """The channels of a panel begin and end at a multiple of `lanes`."""
        self.outputs, self.inputs, self.group, self.columns = outputs, inputs, group, columns
        self.of_group, self.into = outputs // group, inputs // group
        self.ranges = []
        for first in range(0, outputs, columns * width()):
            last = min(first + columns * width(), outputs) - 1
            low, high = first // self.of_group * self.into, (last // self.of_group + 1) * self.into
            self.ranges.append((low // lanes * lanes, -(-high // lanes) * lanes))

    @property
    def products(self) -> int:
        """Vectors multiplied for each pixel and tap."""
        return sum(high - low for low, high in self.ranges) * self.columns

    def bytes(self, panel: int, taps: int) -> int:
        low, high = self.ranges[panel]
        return (high - low) * self.columns * width() * 4 * taps

    def offsets(self, taps: int) -> list[int]:
        """Where each panel's filters begin, and the end."""
        return [0, *np.cumsum([self.bytes(p, taps) for p in range(len(self.ranges))]).tolist()]

    def blocks(self, panel: int) -> tuple[int, int]:
        """The first block of the source that a panel reads, and how many there are."""
        low, high = self.ranges[panel]
        return low // width(), -(-high // width()) - low // width()

    def clusters(self) -> list[tuple[int, int]]:
        """Panels in a row that have blocks of the source in common: the first, and the one behind the last."""
        found: list[tuple[int, int]] = []
        for panel in range(len(self.ranges)):
            if found and sum(self.blocks(panel - 1)) > self.blocks(panel)[0]:
                found[-1] = (found[-1][0], panel + 1)
            else:
                found.append((panel, panel + 1))
        return found

    def entries(self, lane: int, channel: int, taps: int) -> list[tuple[int, ...]]:
        """Entries of the table that brings filters into order: `lane` bytes between the filters of two outputs of a
        group, `channel` between those of two inputs."""
        vector, rows = width() * 4, list[tuple[int, ...]]()
        starts = self.offsets(taps)
        for panel, (low, high) in enumerate(self.ranges):
            tap_bytes = self.bytes(panel, 1)
            for j, group in product(
                range(self.columns), range(low // self.into, min(-(-high // self.into), self.group))
            ):
                block = (panel * self.columns + j) * width()
                first, end = (max(0, min(width(), n * self.of_group - block)) for n in (group, group + 1))
                begin, stop = max(low, group * self.into), min(high, (group + 1) * self.into)
                packed = starts[panel] + ((begin - low) * self.columns + j) * vector
                rows.append(
                    (packed, self._plain(block, begin, group, lane, channel), first, end, stop - begin, tap_bytes)
                )
        return rows

    def _plain(self, output: int, place: int, group: int, lane: int, channel: int) -> int:
        """Where the filter of an output and an input of `group` lies, as if the group went on and on."""
        raise NotImplementedError


class ByOutput(Panels):
    """Lanes are the filters' outputs."""

    def _plain(self, output: int, place: int, group: int, lane: int, channel: int) -> int:
        return output * lane + (place - group * self.into) * channel


class ByInput(Panels):
    """Lanes are the filters' inputs."""

    def _plain(self, output: int, place: int, group: int, lane: int, channel: int) -> int:
        return (output - group * self.of_group) * lane + place * channel


class OwnChannels(Panels):
    """Lanes are channels, of which each is its own source."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, channels, 1)
        self.ranges = [(block * width(), block * width() + 1) for block in range(-(-channels // width()))]

    def blocks(self, panel: int) -> tuple[int, int]:
        return panel, 1

    def entries(self, lane: int, channel: int, taps: int) -> list[tuple[int, ...]]:
        vector = width() * 4
        return [
            (block * taps * vector, block * width() * lane, 0, min(width(), self.outputs - block * width()), 1, vector)
            for block in range(len(self.ranges))
        ]


def listed(rows: Iterable[Sequence[int]]) -> Table:
    return np.array(list(rows), np.int64)


def pack_table(
    panels: Panels,
    of: Filters,
    taps: Sequence[int],
    packed: Array,
    plain: Array,
    *,
    turned: bool,
    parts: tuple[int, int],
) -> tuple[Table, Table, Table]:
    """The table that `write_packed` and `write_added` read, and those it has addresses of."""
    output, one = of.source.channels // of.group * of.taps * 4, of.taps * 4
    lane, channel = (one, output) if turned and not of.depthwise else (output, one)
    # A stride longer than the blob leaves taps out; panels have room for all of them.
    entries, places = listed(panels.entries(lane, channel, of.taps)), np.array([tap * 4 for tap in taps], np.int64)
    table = code.PACK.table({
        "entries": len(entries), "entry_table": entries.ctypes.data, "taps": len(taps),
        "tap_table": places.ctypes.data, "packed": packed.ctypes.data, "step": panels.columns * width() * 4,
        "plain": plain.ctypes.data, "lane": lane, "channel": channel, "parts": parts[0], "part_bytes": parts[1],
    })  # fmt: skip
    return table, entries, places
