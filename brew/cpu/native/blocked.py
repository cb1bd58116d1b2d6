"""Blobs in blocks of channels, and the tiles they are taken apart into, as code of our own is told about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from brew.cpu.llvm import compiler
from brew.cpu.llvm.slots import Table
from brew.cpu.llvm.team import bound
from brew.layer import Array

from . import tiles

_LINE = 64
_LARGE = 1 << 21  # bytes
_ZEROS = np.zeros(16, np.float32)  # read where a tile reaches beyond its blob


def width() -> int:
    """Channels in a block."""
    return compiler.target().width


def holds(block: int) -> bool:
    """Whether there is code of our own here, and its vectors hold such a block of channels."""
    return compiler.why_not() is None and width() == block


def up(number: int, step: int) -> int:
    return -(-number // step) * step


def spread(size: int) -> int:
    """`size` bytes, up to an odd number of cache lines: then what lies so far apart shares no set of a cache."""
    return (-(-size // _LINE) | 1) * _LINE


def streams(target: Array) -> bool:
    """Whether it pays to write past the caches: a write into them reads first what it overwrites."""
    return target.nbytes >= _LARGE and target.ctypes.data % (4 * width()) == 0


@dataclass(frozen=True)
class Blocked:
    """A blob of `channels` in `group` groups, as layouts in blocks have it; more than one group is of whole blocks."""

    images: int
    channels: int
    height: int
    width: int
    group: int = 1

    @property
    def of_group(self) -> int:
        return self.channels // self.group

    @property
    def blocks(self) -> int:
        """Of a group."""
        return -(-self.of_group // width())

    @property
    def plane(self) -> int:
        """Bytes of a block of channels of an image."""
        return self.height * self.width * width() * 4

    def slots(self, array: Array, group: int) -> dict[str, int]:
        """Its slots in the table of the code for tiles."""
        return {
            "blob": array.ctypes.data + group * self.blocks * self.plane, "block": self.plane,
            "image": self.plane * self.blocks * self.group, "row": self.width * width() * 4, "blocks": self.blocks,
            "height": self.height, "width": self.width,
        }  # fmt: skip


@dataclass(frozen=True)
class Tiling:
    """How a blob is taken apart: tiles `stride` pixels apart, `down` and `across`."""

    images: int
    down: int
    across: int
    stride: int

    @classmethod
    def over(cls, target: Blocked, stride: int) -> Tiling:
        return cls(target.images, -(-target.height // stride), -(-target.width // stride), stride)

    @property
    def count(self) -> int:
        return self.images * self.down * self.across


def tile_table(tiling: Tiling, blob: Blocked, array: Array, group: int, **others: int) -> Table:
    """The table of the code for tiles (brew.cpu.native.tiles) for a group of `blob`, whose values are `array`."""
    base = {"down": tiling.down, "across": tiling.across, "bias": 0, "added": 0, "slope": 0, "top": 0, "left": 0}
    return tiles.SLOTS.table({**base, "zeros": _ZEROS.ctypes.data, **blob.slots(array, group), **others})


def channel_sums(of: Blocked, blob: Array, sums: Array) -> list[Callable[[], None]]:
    """Calls that add to `sums`, which has a number for each channel."""
    found, slots = np.zeros(of.group * of.blocks * width(), np.float32), of.slots(blob, 0)
    table = tiles.SUM.table({
        "blob": slots["blob"], "image": slots["image"], "block": of.plane, "blocks": of.blocks * of.group,
        "images": of.images, "plane": of.plane, "sums": found.ctypes.data,
    })  # fmt: skip

    def add() -> None:
        np.add(sums, found[: of.channels], out=sums)

    return [bound(compiler.function("sum", tiles.write_sum), table, (found, blob)), add]
