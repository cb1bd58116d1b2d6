"""Direct convolutions on blobs in blocks of channels that need not be whole: any number of groups, channels and taps.

oneDNN has code for groups of whole blocks. Here a panel, one or two blocks of the target's channels, goes over all the
channels of the source that any of its lanes needs, with zeros for filters of other groups: with 4 channels in a group
half of what it multiplies in blocks of 8, and nothing is moved about. Where every channel has a filter of its own,
vectors of both are multiplied.

A gradient of the source is a multiplication too, by classes of pixels: those whose place, divided by the stride, leaves
the same rest meet the same taps, one pixel of the gradient apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from math import gcd, prod

import numpy as np

from . import grouped_code as code
from .blocked import Array, Blocked, streams, width
from .filter_bank import Call
from .llvm import function
from .slots import Table
from .team import bound
from .winograd import Finish

_CACHED = 192 << 10  # bytes of copied rows, at most: they stay in the second cache
_FEWEST = 8  # units, so that threads find their share
_SHORT = 12  # pixels of a row; shorter ones are joined where no taps reach beyond them
_TABLE_NUMBER = 8  # bytes


@dataclass(frozen=True)
class Filters:
    """A convolution from `source` to `target`, as a layer has it: filters are (outputs, inputs / group, *kernel)."""

    source: Blocked
    target: Blocked
    group: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)

    @property
    def taps(self) -> int:
        return prod(self.kernel)

    @property
    def depthwise(self) -> bool:
        """Whether every channel has a filter of its own."""
        return self.source.channels == self.target.channels == self.group

    @property
    def joined(self) -> Filters:
        """The same with rows joined, where all that changes nothing."""
        pixels = (self.source.height, self.source.width) == (self.target.height, self.target.width)
        alone = self.taps == 1 and self.stride == (1, 1) and self.pad == (0, 0)
        if not (pixels and alone) or self.source.width >= _SHORT:
            return self
        rows = next(n for n in range(1, self.source.height + 1)
                    if self.source.height % n == 0 and (n * self.source.width >= _SHORT or n == self.source.height))  # fmt: skip
        source, target = (
            Blocked(b.images, b.channels, b.height // rows, b.width * rows) for b in (self.source, self.target)
        )
        return Filters(source, target, self.group, self.kernel)


@dataclass(frozen=True)
class Class:
    """Pixels of the target that meet the same taps: of `rows` x `columns` the first is `start`.

    Taps are (row, column, number): a pixel's source is `Plan.step` times its place in the class, plus row and column.
    """

    start: tuple[int, int]
    rows: int
    columns: int
    taps: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Plan:
    """Where a pass reads and writes; `step` pixels of the source between two of a class, `out_step` of the target."""

    source: Blocked
    target: Blocked
    step: tuple[int, int]
    out_step: tuple[int, int]
    classes: tuple[Class, ...]

    @classmethod
    def forward(cls, of: Filters) -> Plan:
        offsets = [[k * d - p for k in range(n)] for n, d, p in zip(of.kernel, of.dilation, of.pad, strict=True)]
        taps = tuple((y, x, i) for i, (y, x) in enumerate(product(*offsets)))
        only = Class((0, 0), of.target.height, of.target.width, taps)
        return cls(of.source, of.target, of.stride, (1, 1), (only,))

    @classmethod
    def backward(cls, of: Filters) -> Plan:
        """From the gradient of the target to that of the source."""
        sizes = (of.source.height, of.source.width)
        axes = [list(_met(*axis)) for axis in zip(sizes, of.kernel, of.stride, of.pad, of.dilation, strict=True)]
        classes = [
            Class(
                (y, x), rows, columns, tuple((j, i, a * of.kernel[1] + b) for (j, a), (i, b) in product(down, across))
            )
            for (y, rows, down), (x, columns, across) in product(*axes)
        ]
        return cls(of.target, of.source, (1, 1), of.stride, tuple(classes))

    def reach(self, axis: int) -> tuple[int, int]:
        """The first and the last place of the source that is read, before 0 and behind its end too."""
        offsets = [tap[axis] for one in self.classes for tap in one.taps] or [0]
        most = max((one.rows, one.columns)[axis] for one in self.classes)
        return min(offsets), (most - 1) * self.step[axis] + max(offsets)

    @cached_property
    def copies(self) -> bool:
        """Whether it reads beyond the source."""
        sizes = (self.source.height, self.source.width)
        return any(self.reach(axis)[0] < 0 or self.reach(axis)[1] >= size for axis, size in enumerate(sizes))

    @property
    def rows(self) -> int:
        """Of the classes, the longest."""
        return max(one.rows for one in self.classes)


def _met(
    size: int, taps: int, stride: int, pad: int, dilation: int
) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Of an axis, for every rest of the stride: where it begins, how many places it has, and its taps (place, number)."""
    for rest in range(min(stride, size)):
        met = [
            ((rest + pad - k * dilation) // stride, k) for k in range(taps) if (rest + pad - k * dilation) % stride == 0
        ]
        yield rest, -(-(size - rest) // stride), met


class Bands:
    """How a pass shares out its rows, and what it copies of the source: `blocks` of a unit."""

    def __init__(self, plan: Plan, blocks: int, units: int) -> None:
        """`units` are there without bands."""
        self.plan, source = plan, plan.source
        (low, high), (left, right) = plan.reach(0), plan.reach(1)
        self.left = max(0, -left) if plan.copies else 0
        wide = self.left + source.width + max(0, right - source.width + 1) if plan.copies else source.width
        self.pitch = wide * width() * 4
        reach = high - low - (plan.rows - 1) * plan.step[0]  # rows under one row, less one
        fit = max(1, (_CACHED // (self.pitch * blocks) - reach) // plan.step[0])
        shared = -(-plan.rows // max(1, -(-_FEWEST // units)))
        bands = -(-plan.rows // max(1, min(fit, max(shared, 4))))
        self.band = -(-plan.rows // bands)
        self.count = -(-plan.rows // self.band)
        self.copied_rows = (self.band - 1) * plan.step[0] + reach + 1
        self.block = self.copied_rows * self.pitch if plan.copies else source.plane
        self.of_thread = self.block * blocks if plan.copies else 0

    def slots(self, source: Array, scratch: Array) -> dict[str, int]:
        blob, plan = self.plan.source, self.plan
        return {
            **_blob("source", blob, source), "source_height": blob.height, "source_width": blob.width,
            "scratch": scratch.ctypes.data, "scratch_of_thread": self.of_thread, "left": self.left,
            "pitch": self.pitch, "copied_rows": self.copied_rows, "copied_block": self.block, "band": self.band,
            "bands": self.count, "lowest": plan.reach(0)[0], "row_step": plan.step[0] * self.pitch,
            "step": plan.step[0],
        }  # fmt: skip

    def place(self, tap: tuple[int, int, int]) -> int:
        """Bytes from a band's first row to what a tap reads; `_band` of the code has left the first row's place out."""
        low = self.plan.reach(0)[0]
        return (tap[0] - low) * self.pitch + (tap[1] + self.left) * width() * 4


def _blob(name: str, blob: Blocked, array: Array) -> dict[str, int]:
    return {name: array.ctypes.data, f"{name}_image": blob.plane * blob.blocks, f"{name}_block": blob.plane,
            f"{name}_row": blob.width * width() * 4}  # fmt: skip


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
        """Panels one behind the other that have blocks of the source in common: the first, and the one behind the last."""
        found: list[tuple[int, int]] = []
        for panel in range(len(self.ranges)):
            if found and sum(self.blocks(panel - 1)) > self.blocks(panel)[0]:
                found[-1] = (found[-1][0], panel + 1)
            else:
                found.append((panel, panel + 1))
        return found

    def entries(self, lane: int, channel: int, taps: int) -> list[tuple[int, ...]]:
        """What brings filters into order: `lane` bytes between the filters of two outputs of a group, `channel` between
        those of two inputs."""
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


class _ByOutput(Panels):
    """Lanes are the filters' outputs."""

    def _plain(self, output: int, place: int, group: int, lane: int, channel: int) -> int:
        return output * lane + (place - group * self.into) * channel


class _ByInput(Panels):
    """Lanes are the filters' inputs."""

    def _plain(self, output: int, place: int, group: int, lane: int, channel: int) -> int:
        return (output - group * self.of_group) * lane + place * channel


class _Depthwise(Panels):
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


def _table(rows: Iterable[Sequence[int]]) -> Table:
    return np.array(list(rows), np.int64)


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
            return _Depthwise(self.of.group)
        kind, blobs = (_ByInput if self.turned else _ByOutput), (self.plan.target, self.plan.source)
        ways = [kind(*(b.channels for b in blobs), self.of.group, 1)]
        if self.plan.target.blocks % 2 == 0:
            ways.append(kind(*(b.channels for b in blobs), self.of.group, 2))
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
        table = _pack_table(self.panels, self.of, taps, packed, filters, turned=self.turned, parts=(1, 4))
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
            "cluster_table": _table((first, last, panels.blocks(first)[0], blocks)
                                    for (first, last), blocks in zip(self.clusters, self.blocks, strict=True)),
            "panel_table": panel_rows, "segment_table": segments,
            "class_table": _table((starts[i], starts[i + 1], c.start[0] * row + c.start[1] * vector, c.rows, c.columns)
                                  for i, c in enumerate(plan.classes)),
            "tap_table": _table([[bands.place(tap)] for one in plan.classes for tap in one.taps] or [[0]]),
        }  # fmt: skip
        panel_rows[:, 1:3] = panel_rows[:, 1:3] * 2 * _TABLE_NUMBER + segments.ctypes.data
        slope = np.full(width(), finish.slope, np.float32)
        table = code.MULTIPLY.table({
            **bands.slots(source, scratch), **_blob("target", plan.target, target),
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
                for block in range(*(lambda at, n: (at, at + n))(*self.panels.blocks(panel))):
                    start, stop = max(low, block * width()), min(high, (block + 1) * width())
                    segments.append(((block - origin) * self.bands.block + start % width() * 4, (stop - start) * 4))
                rows.append((starts[panel], begin, len(segments), self.panels.bytes(panel, 1)))
        return _table(segments), _table(rows)

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
            self.panels: Panels = _Depthwise(of.group)
            self.lanes = 1
        else:
            sizes = (of.target.channels, of.source.channels, of.group)
            even = of.target.blocks % 2 == 0
            one, two = _ByOutput(*sizes, 1, 8), _ByOutput(*sizes, 2, 8 if wide else 4)
            self.lanes, self.panels = (
                (8 if wide else 4, two) if even and two.products < one.products * 1.1 else (8, one)
            )
        least = min(12, of.taps)
        most = (24 if wide else 12) // (self.lanes * self.panels.columns)
        self.taps = next(n for n in range(max(1, min(most, least)), 0, -1) if of.taps % n == 0)
        count = len(self.panels.ranges)
        self.parts = min(plan.target.images, max(1, -(-_FEWEST // count)))
        self.of_part = -(-plan.target.images // self.parts)
        self.parts = -(-plan.target.images // self.of_part)
        blocks = max(self.panels.blocks(panel)[1] for panel in range(count))
        self.bands = Bands(plan, blocks, _FEWEST)
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
        offsets = _table([[bands.place(tap)] for tap in taps])
        table = code.OUTER.table({
            **bands.slots(source, scratch), **_blob("target", plan.target, d_target),
            "units": self.parts * len(rows), "panels": len(rows), "images": plan.target.images,
            "of_part": self.of_part, "rows": plan.target.height, "columns": plan.target.width, "taps": len(taps),
            "panel_table": rows.ctypes.data, "tap_table": offsets.ctypes.data, "piece_table": pieces.ctypes.data,
            "partial": partial_sums.ctypes.data, "part_bytes": self.part_bytes,
        })  # fmt: skip
        keep = (pieces, rows, offsets, source, d_target, scratch)
        numbers = [tap[2] for tap in taps]
        added = _pack_table(self.panels, of, numbers, partial_sums, d_filters, turned=False,
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
        return _table(pieces), _table(rows)


def _pack_table(
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
    entries, places = _table(panels.entries(lane, channel, len(taps))), np.array([tap * 4 for tap in taps], np.int64)
    table = code.PACK.table({
        "entries": len(entries), "entry_table": entries.ctypes.data, "taps": len(taps),
        "tap_table": places.ctypes.data, "packed": packed.ctypes.data, "step": panels.columns * width() * 4,
        "plain": plain.ctypes.data, "lane": lane, "channel": channel, "parts": parts[0], "part_bytes": parts[1],
    })  # fmt: skip
    return table, entries, places
