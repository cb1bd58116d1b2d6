"""Direct convolutions on blobs in blocks of channels that need not be whole: any number of groups, channels and taps.

oneDNN has code for groups of whole blocks. Here a panel, one or two blocks of the target's channels, goes over all the
channels of the source that any of its lanes needs, with zeros for filters of other groups: with 4 channels in a group
half of what it multiplies in blocks of 8, and nothing is moved about. Where every channel has a filter of its own,
vectors of both are multiplied.

A gradient of the source is a multiplication too, by classes of pixels: those whose place, divided by the stride, leaves
the same rest meet the same taps, one pixel of the gradient apart.
"""

from __future__ import annotations

from functools import partial
from math import gcd

import numpy as np

from brew.cpu.llvm.compiler import function
from brew.cpu.llvm.slots import Table
from brew.cpu.llvm.team import bound
from brew.layer import Array

from . import grouped_code as code
from .blocked import streams, width
from .filter_bank import Call
from .grouped_panels import ByInput, ByOutput, OwnChannels, Panels, listed, pack_table
from .grouped_plan import FEWEST, Bands, Filters, Plan, blob_slots
from .winograd import Finish

_NUMBER = 8  # bytes of a number in a table


class Multiplied:
    """A pass that writes a blob: forward, or with `turned` the gradient of the source from that of the target."""

    def __init__(self, filters: Filters, threads: int, *, turned: bool = False) -> None:
        self.of = of = filters.joined
        self.threads, self.turned = threads, turned
        self.plan = plan = Plan.backward(of) if turned else Plan.forward(of)
        self.panels = self._panels()
        self.clusters = self.panels.clusters()
        self.blocks = [
            sum(self.panels.blocks(last - 1)) - self.panels.blocks(first)[0] for first, last in self.clusters
        ]
        self.bands = Bands(plan, max(self.blocks), plan.target.images * len(self.clusters))
        self.at_once = self._at_once()

    def _panels(self) -> Panels:
        if self.of.depthwise:
            return OwnChannels(self.of.group)
        kind = ByInput if self.turned else ByOutput
        written, read = self.plan.target.channels, self.plan.source.channels
        ways: list[Panels] = [kind(written, read, self.of.group, 1)]
        if self.plan.target.blocks % 2 == 0:
            ways.append(kind(written, read, self.of.group, 2))
        return min(ways, key=lambda way: way.products * (1.15 if way.columns == 1 else 1))

    def _at_once(self) -> int:
        """Pixels whose sums stay in registers: as many as leave few over, and hide how long a product takes."""
        registers = 32 if width() == 16 else 16
        most = (registers - 2 - self.panels.columns) // self.panels.columns
        lengths = {one.columns for one in self.plan.classes}

        def cost(number: int) -> float:
            return sum(n // number * max(number, 8 / self.panels.columns) + max(n % number, 6 * (n % number > 0))
                       for n in lengths)  # fmt: skip

        return min(range(min(most, max(lengths)), 0, -1), key=cost)

    @property
    def filters(self) -> int:
        """Float32 of the filters in their order here."""
        return self.panels.offsets(self.of.taps)[-1] // 4

    @property
    def scratch(self) -> int:
        """Float32."""
        return self.bands.of_thread // 4 * self.threads

    def transform(self, filters: Array, packed: Array) -> list[Call]:
        """Calls that bring the filters into that order."""
        taps = [tap[2] for one in self.plan.classes for tap in one.taps]
        table = pack_table(self.panels, self.of, taps, packed, filters, turned=self.turned, parts=(1, 4))
        return [bound(function("grouped packed", code.write_packed), table[0], (table, filters, packed))]

    def bind(
        self, source: Array, target: Array, packed: Array, scratch: Array, finish: Finish | None = None
    ) -> list[Call]:
        """The calls; `finish.bias` has a number for each channel of the target."""
        finish = finish or Finish()
        plan, panels, bands, vector = self.plan, self.panels, self.bands, width() * 4
        lengths = {one.columns % self.at_once for one in plan.classes}
        segments, panel_rows = self._segments()
        how = code.Multiply(
            self.at_once, tuple(sorted(lengths - {0})), panels.columns, self._unrolled(segments), self.of.depthwise,
            plan.step[1], plan.out_step[1], plan.copies, finish.bias is not None, finish.added is not None,
            finish.slope != 1, streams(target) and plan.out_step == (1, 1),
        )  # fmt: skip
        starts = np.cumsum([0, *(len(one.taps) for one in plan.classes)]).tolist()
        row = plan.target.width * vector
        tables = {
            "cluster_table": listed((first, last, panels.blocks(first)[0], blocks)
                                    for (first, last), blocks in zip(self.clusters, self.blocks, strict=True)),
            "panel_table": panel_rows, "segment_table": segments,
            "class_table": listed((starts[i], starts[i + 1], c.start[0] * row + c.start[1] * vector, c.rows, c.columns)
                                  for i, c in enumerate(plan.classes)),
            "tap_table": listed([[bands.place(tap)] for one in plan.classes for tap in one.taps] or [[0]]),
        }  # fmt: skip
        panel_rows[:, 1:3] = panel_rows[:, 1:3] * 2 * _NUMBER + segments.ctypes.data
        slope = np.full(width(), finish.slope, np.float32)
        table = code.MULTIPLY.table({
            **bands.slots(source, scratch), **blob_slots("target", plan.target, target),
            **{name: each.ctypes.data for name, each in tables.items()},
            "units": plan.target.images * len(self.clusters) * bands.count, "clusters": len(self.clusters),
            "classes": len(plan.classes), "filters": packed.ctypes.data, "out_step": plan.out_step[0] * row,
            "bias": 0 if finish.bias is None else finish.bias.ctypes.data, "channels": plan.target.channels,
            "added": 0 if finish.added is None else finish.added.ctypes.data, "slope": slope.ctypes.data,
        })  # fmt: skip
        keep = (tables, slope, source, target, packed, scratch, finish)
        run = function(f"grouped {how}", partial(code.write_multiply, how=how))
        return [bound(run, table, keep, most=self.threads)]

    def _segments(self) -> tuple[Table, Table]:
        """Runs of channels within a block, (bytes from the first block, bytes), and for each panel where its filters
        begin, its first segment, the one behind its last, and the bytes of a tap."""
        segments, rows, starts = list[tuple[int, int]](), list[tuple[int, ...]](), self.panels.offsets(self.of.taps)
        for first, last in self.clusters:
            origin = self.panels.blocks(first)[0]
            for panel in range(first, last):
                begin, (low, high) = len(segments), self.panels.ranges[panel]
                at, blocks = self.panels.blocks(panel)
                for block in range(at, at + blocks):
                    start, stop = max(low, block * width()), min(high, (block + 1) * width())
                    segments.append(((block - origin) * self.bands.block + start % width() * 4, (stop - start) * 4))
                rows.append((starts[panel], begin, len(segments), self.panels.bytes(panel, 1)))
        return listed(segments), listed(rows)

    @staticmethod
    def _unrolled(segments: Table) -> int:
        """Channels in a turn of the inner loop."""
        return gcd(4, *(segments[:, 1] // 4).tolist())


class Summed:
    """The gradient of the filters, from the source and the gradient of the target."""

    def __init__(self, filters: Filters, threads: int) -> None:
        self.of = of = filters.joined
        self.threads = threads
        self.plan = plan = Plan.forward(of)
        wide = width() == 16
        if of.depthwise:
            self.panels: Panels = OwnChannels(of.group)
            self.lanes = 1
        else:
            sizes = (of.target.channels, of.source.channels, of.group)
            even = of.target.blocks % 2 == 0
            one, two = ByOutput(*sizes, 1, 8), ByOutput(*sizes, 2, 8 if wide else 4)
            self.lanes, self.panels = (
                (8 if wide else 4, two) if even and two.products < one.products * 1.1 else (8, one)
            )
        least = min(12, of.taps)
        most = (24 if wide else 12) // (self.lanes * self.panels.columns)
        self.taps = next(n for n in range(max(1, min(most, least)), 0, -1) if of.taps % n == 0)
        count = len(self.panels.ranges)
        self.parts = min(plan.target.images, max(1, -(-FEWEST // count)))
        self.of_part = -(-plan.target.images // self.parts)
        self.parts = -(-plan.target.images // self.of_part)
        blocks = max(self.panels.blocks(panel)[1] for panel in range(count))
        self.bands = Bands(plan, blocks, FEWEST)
        self.part_bytes = self.panels.offsets(of.taps)[-1]

    @property
    def scratch(self) -> int:
        """Float32: each thread's copies, and the parts' sums."""
        return (self.bands.of_thread * self.threads + self.part_bytes * self.parts) // 4

    def bind(self, source: Array, d_target: Array, d_filters: Array, scratch: Array) -> list[Call]:
        """The calls; what they find is added to `d_filters`."""
        plan, of, bands = self.plan, self.of, self.bands
        partial_sums = scratch.reshape(-1)[bands.of_thread * self.threads // 4 :]
        taps = plan.classes[0].taps
        how = code.Outer(self.taps, self.lanes, self.panels.columns, of.depthwise, plan.step[1], plan.copies)
        pieces, rows = self._pieces()
        offsets = listed([[bands.place(tap)] for tap in taps])
        table = code.OUTER.table({
            **bands.slots(source, scratch), **blob_slots("target", plan.target, d_target),
            "units": self.parts * len(rows), "panels": len(rows), "images": plan.target.images,
            "of_part": self.of_part, "rows": plan.target.height, "columns": plan.target.width, "taps": len(taps),
            "panel_table": rows.ctypes.data, "tap_table": offsets.ctypes.data, "piece_table": pieces.ctypes.data,
            "partial": partial_sums.ctypes.data, "part_bytes": self.part_bytes,
        })  # fmt: skip
        keep = (pieces, rows, offsets, source, d_target, scratch)
        numbers = [tap[2] for tap in taps]
        added = pack_table(self.panels, of, numbers, partial_sums, d_filters, turned=False,
                            parts=(self.parts, self.part_bytes))  # fmt: skip
        return [
            bound(function(f"grouped {how}", partial(code.write_outer, how=how)), table, keep, most=self.threads),
            bound(function("grouped added", code.write_added), added[0], (added, d_filters, scratch)),
        ]

    def _pieces(self) -> tuple[Table, Table]:
        """`lanes` channels of the source each: bytes from a panel's first block; and the panels' rows."""
        pieces, rows, starts = list[list[int]](), list[tuple[int, ...]](), self.panels.offsets(self.of.taps)
        for panel, (low, high) in enumerate(self.panels.ranges):
            block, blocks = self.panels.blocks(panel)
            places = [(c // width() - block) * self.bands.block + c % width() * 4 for c in range(low, high, self.lanes)]
            size = self.panels.bytes(panel, self.of.taps)
            rows.append((starts[panel], size, block, blocks, len(pieces), len(places)))
            pieces += [[place] for place in places]
        return listed(pieces), listed(rows)
