"""Which pixels a direct convolution reads for which (brew.cpu.native.grouped), and how its rows are shared out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

from brew.layer import Array

from .blocked import Blocked, width

_CACHED = 192 << 10  # bytes of rows of the source, at most: they stay in the second cache
_SHORT = 12  # pixels of a row; shorter ones are joined where no taps reach beyond them
FEWEST = 8  # units, so that threads find their share


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
        height = self.source.height
        divisors = (n for n in range(1, height + 1) if height % n == 0)
        rows = next(n for n in divisors if n * self.source.width >= _SHORT or n == height)
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
    """Of an axis, for every rest of the stride: where it begins, its places, and its taps as (place, number)."""
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
        shared = -(-plan.rows // max(1, -(-FEWEST // units)))
        bands = -(-plan.rows // max(1, min(fit, max(shared, 4))))
        self.band = -(-plan.rows // bands)
        self.count = -(-plan.rows // self.band)
        self.copied_rows = (self.band - 1) * plan.step[0] + reach + 1
        self.block = self.copied_rows * self.pitch if plan.copies else source.plane
        self.of_thread = self.block * blocks if plan.copies else 0

    def slots(self, source: Array, scratch: Array) -> dict[str, int]:
        blob, plan = self.plan.source, self.plan
        return {
            **blob_slots("source", blob, source), "source_height": blob.height, "source_width": blob.width,
            "scratch": scratch.ctypes.data, "scratch_of_thread": self.of_thread, "left": self.left,
            "pitch": self.pitch, "copied_rows": self.copied_rows, "copied_block": self.block, "band": self.band,
            "bands": self.count, "lowest": plan.reach(0)[0], "row_step": plan.step[0] * self.pitch,
            "step": plan.step[0],
        }  # fmt: skip

    def place(self, tap: tuple[int, int, int]) -> int:
        """Bytes from a band's first row to what a tap reads; `_band` of the code has left the first row's place out."""
        low = self.plan.reach(0)[0]
        return (tap[0] - low) * self.pitch + (tap[1] + self.left) * width() * 4


def blob_slots(name: str, blob: Blocked, array: Array) -> dict[str, int]:
    return {name: array.ctypes.data, f"{name}_image": blob.plane * blob.blocks, f"{name}_block": blob.plane,
            f"{name}_row": blob.width * width() * 4}  # fmt: skip
