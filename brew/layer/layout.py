"""Shapes, and how the elements of 4-D blobs lie in memory: plain, or in blocks of channels for oneDNN's kernels.

In a blocked layout the array of a blob (N, C, H, W) is (N, ceil(C / block), H, W, block): neighbours in memory are
neighbouring channels. Where C is no multiple of the block, the last one is padded with zeros. A block of all C
channels is the layout known as channels last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]

ALIGN = 64  # bytes: parameters, pieces of arenas and scratch memory start on a cache line


def count(shape: Sequence[int]) -> int:
    """Number of elements; 1 for a scalar's ()."""
    return math.prod(shape)


def shape_text(shape: Sequence[int]) -> str:
    """(64, 3, 28, 28) as "64 x 3 x 28 x 28"; () as "scalar"."""
    return " x ".join(map(str, shape)) or "scalar"


@dataclass(frozen=True, slots=True)
class Layout:
    """`block` channels lie together; 1 is the plain layout."""

    block: int = 1

    def stored(self, shape: Shape) -> Shape:
        """The shape of the array that holds a blob of `shape`."""
        if self.block == 1:
            return shape
        n, c, *size = shape
        return (n, -(-c // self.block), *size, self.block)

    def size(self, shape: Shape) -> int:
        """Its elements."""
        return count(self.stored(shape))

    def __str__(self) -> str:
        return "plain" if self.block == 1 else f"blocks of {self.block}"


PLAIN = Layout()


@dataclass(frozen=True, slots=True)
class Layouts:
    """The layouts an implementation wants its bottoms in and gives its tops in; gradients lie as their values do."""

    x: tuple[Layout, ...]
    y: tuple[Layout, ...]


def plain(bottoms: Sequence[object], tops: Sequence[object]) -> Layouts:
    return Layouts((PLAIN,) * len(bottoms), (PLAIN,) * len(tops))


@dataclass(frozen=True, slots=True)
class View:
    """A top that is the memory of bottom `bottom`: its data, and with `diff` its gradient too."""

    bottom: int = 0
    diff: bool = True
