"""What the pixels of a convolution on plain blobs see (brew.cpu.native.planes), and when that way is the faster."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from brew.cpu.llvm.slots import Table

from .blocked import Blocked, up, width
from .grouped_plan import FEWEST, Filters

FLOAT = 4  # bytes
_STRIDES = ((1, 1), (2, 2))
_LONG = 4  # vectors of a row, at least, where pixels are cut into rows as one likes
_FEW_OF_GROUP = 32  # channels; with more, blocks leave few lanes empty
_WIDE = 0.6  # of a row's lanes that are pixels
_MOST_SUMS = 1 << 15  # products of inputs, outputs and taps of a group: their sums stay in the second cache


def pays(of: Filters) -> bool:
    """Whether it is faster than to bring plain blobs into blocks (measured on Sapphire Rapids)."""
    if of.group == 1:
        return False  # no lane multiplies another group's filters
    rows, channels = joined(of), (of.source.channels // of.group, of.target.channels // of.group)
    whole = not any(number % width() for number in channels)
    few = of.taps == 1 or (max(channels) < _FEW_OF_GROUP and not whole)
    wide = min(blob.width / up(blob.width, width()) for blob in (rows.source, rows.target))
    return few and of.stride in _STRIDES and channels[0] * channels[1] * of.taps <= _MOST_SUMS and wide >= _WIDE


def joined(of: Filters) -> Filters:
    """The same with rows of whole vectors, where no taps reach beyond a pixel."""
    if of.taps > 1 or of.pad != (0, 0) or of.stride != (1, 1):
        return of
    pixels = of.source.height * of.source.width
    rows = [n for n in range(1, FEWEST + 1) if pixels % n == 0 and pixels // n % width() == 0]
    row = max((n for n in rows if pixels // n >= _LONG * width()), default=1)
    source, target = (Blocked(b.images, b.channels, row, pixels // row) for b in (of.source, of.target))
    return Filters(source, target, of.group, of.kernel)


@dataclass(frozen=True)
class Sight:
    """What the pixels of a pass see: for each axis the places of the source from their own."""

    of: Filters
    turned: bool

    @property
    def source(self) -> Blocked:
        return self.of.target if self.turned else self.of.source

    @property
    def target(self) -> Blocked:
        return self.of.source if self.turned else self.of.target

    @cached_property
    def axes(self) -> list[list[int]]:
        axes = zip(self.of.kernel, self.of.dilation, self.of.pad, strict=True)
        return [[(k * d - p) * (-1 if self.turned else 1) for k in range(n)] for n, d, p in axes]

    @property
    def inputs(self) -> int:
        return self.source.channels // self.of.group

    @property
    def outputs(self) -> int:
        return self.target.channels // self.of.group

    @property
    def vectors(self) -> int:
        """Of a row of the target."""
        return -(-self.target.width // width())

    @property
    def stride(self) -> tuple[int, int]:
        """Pixels of the source from one pixel to the next."""
        return (1, 1) if self.turned else self.of.stride

    @property
    def copies(self) -> bool:
        """Whether it reads anything but its own pixels."""
        return self.axes != [[0], [0]] or self.stride != (1, 1)

    @cached_property
    def left(self) -> int:
        """Float32 before a row of the source in each of its shares: one for every rest by the stride."""
        return -(-max(0, -min(self.axes[1])) // self.stride[1])

    @cached_property
    def share(self) -> int:
        """Float32 of a row's pixels that have the same rest by the stride, with zeros around them."""
        s, (source, target) = self.stride[1], (self.source.width, self.target.width)
        return up(self.left + max(-(-source // s), target + max(self.axes[1]) // s), width())

    @property
    def filled(self) -> int:
        """Of them, up to where the last vector of pixels reaches."""
        return self.left + up(-(-self.source.width // self.stride[1]), width())

    @property
    def pitch(self) -> int:
        """Float32 from row to row of what is read."""
        return self.share * self.stride[1] if self.copies else self.source.width

    @property
    def reach(self) -> int:
        """Rows under one row, less one."""
        return max(self.axes[0]) - min(self.axes[0])

    @property
    def row_offsets(self) -> tuple[int, ...]:
        """Of each row of taps, from the first that is read."""
        return tuple(y - min(self.axes[0]) for y in self.axes[0])

    def places(self, plane: int) -> Table:
        """Bytes from a pixel to what it meets: of each channel, `plane` float32 apart, each tap."""
        across = [divmod(x + self.left * self.stride[1], self.stride[1]) for x in self.axes[1]]
        taps = [y * self.pitch + rest * self.share + x for y, (x, rest) in product(self.row_offsets, across)]
        return np.array([[channel * plane + tap for tap in taps] for channel in range(self.inputs)], np.int64) * FLOAT
