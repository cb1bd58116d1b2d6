"""The column matrices of a batch of images on the CPU: how they lie in memory, and the views into them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import as_strided

from brew.layer import Array, Shape, count

from .window import Window


@dataclass(frozen=True)
class Bank:
    """The sizes of one correlation.

    x (batch, inputs, *size), w (outputs, inputs / group, *kernel), y (batch, outputs, *out)
    """

    batch: int
    group: int
    inputs: int
    outputs: int
    size: Shape
    out: Shape
    window: Window

    @cached_property
    def depth(self) -> int:
        """Products summed for one output: the rows of a column matrix."""
        return self.inputs // self.group * count(self.window.kernel)

    @cached_property
    def weights(self) -> Shape:
        """The weights as matrices, (group, outputs / group, depth)."""
        return self.group, self.outputs // self.group, self.depth


class Tile:
    """The matrices of `images` images: shapes, and views into the working buffers.

    image    (group, rows, inputs / group, *padded rest, images)
    columns  (group, rows, inputs / group, *kernel rest, *out rest, images)
    result   (group, out rows, outputs / group, *out rest, images)

    With `by_rows`, rows is the first spatial axis and rest the others; else rows is 1 and rest is all of them.
    """

    def __init__(self, bank: Bank, images: int, by_rows: bool) -> None:
        window, first = bank.window, int(by_rows)
        self.bank, self.images, self.first = bank, images, first
        self.kernel_rows, self.row_step = (window.kernel[0], window.stride[0]) if by_rows else (1, 1)
        self.out_rows = bank.out[0] if by_rows else 1
        self.size = bank.size if by_rows else (1, *bank.size)
        self.pad = window.pad if by_rows else (0, *window.pad)
        padded = window.padded(bank.size)
        rows, self.channels = padded[0] if by_rows else 1, bank.inputs // bank.group
        self.rest_kernel, self.rest_out = window.kernel[first:], bank.out[first:]
        self.width = count(self.rest_out) * images
        self.image = (bank.group, rows, self.channels, *padded[first:], images)
        self.result = (bank.group, self.out_rows, bank.outputs // bank.group, self.width)
        # Where every window is one element, and none is left out, the image is its own columns.
        self.expands = any(n != 1 for n in (*self.rest_kernel, *window.stride[first:]))
        self.columns = (*self.image[:3], *self.rest_kernel, *self.rest_out, images) if self.expands else self.image
        # The elements of the image a stride apart from each other lie together: see `add_up`.
        self.steps = window.stride[first:]
        short = (-(-n // s) for n, s in zip(padded[first:], self.steps, strict=True))
        self.phases = (*self.steps, *self.image[:3], *short, images)
        self.overlaps = self.expands and 1 < count(self.steps) < count(self.rest_kernel)
        # One image in plain order needs no copy.
        self.plain = images == 1 and not by_rows
        self.plain_image = self.plain and not any(window.pad)

    def windows(self, image: Array) -> Iterator[tuple[tuple[slice | int, ...], Array]]:
        """For every offset in the rest of the kernel: its place in the columns, and the image's elements there."""
        w, first = self.bank.window, self.first
        for offset in product(*map(range, self.rest_kernel)):
            reach = zip(offset, w.dilation[first:], w.stride[first:], self.rest_out, strict=True)
            spans = (slice(o * d, o * d + s * (n - 1) + 1, s) for o, d, s, n in reach)
            yield (slice(None),) * 3 + offset, image[(slice(None),) * 3 + tuple(spans)]

    def add_up(self, columns: Array, image: Array, phases: Array) -> None:
        """image = the columns, each added where it came from.

        A window's stride would make every addition a strided one. So the sums are made in `phases`, where the elements
        that a column shares are neighbours, and are brought into the image once.
        """
        phases[...] = 0
        dilation = self.bank.window.dilation[self.first :]
        for offset in product(*map(range, self.rest_kernel)):
            at = [divmod(o * d, s) for o, d, s in zip(offset, dilation, self.steps, strict=True)]
            spans = (slice(start, start + n) for (start, _), n in zip(at, self.rest_out, strict=True))
            sums = phases[tuple(phase for _, phase in at)][(slice(None),) * 3 + tuple(spans)]
            sums += columns[(slice(None),) * 3 + offset]
        for phase in product(*map(range, self.steps)):
            strided = (slice(p, None, s) for p, s in zip(phase, self.steps, strict=True))
            target = image[(slice(None),) * 3 + tuple(strided)]
            target[...] = phases[phase][tuple(map(slice, target.shape))]

    def inside(self, image: Array) -> Array:
        """The image without its padding, in the order of x: (images, group, channels, rows, *rest)."""
        spans = [slice(p, p + n) for p, n in zip(self.pad, self.size, strict=True)]
        inner = image[(slice(None), spans[0], slice(None), *spans[1:])]
        return inner.transpose(-1, 0, 2, 1, *range(3, inner.ndim - 1))

    def clear_border(self, image: Array) -> None:
        axes = (1, *range(3, image.ndim - 1))
        for axis, pad in zip(axes, self.pad, strict=True):
            if pad:
                edge = np.moveaxis(image, axis, 0)
                edge[:pad] = 0
                edge[-pad:] = 0

    def blocks(self, columns: Array) -> Array:
        """(group, out rows, depth, width): the column matrix under every row of output, overlapping."""
        group_step, row_step = columns.strides[:2]
        steps = (group_step, row_step * self.row_step, self.width * columns.itemsize, columns.itemsize)
        return as_strided(columns, (self.bank.group, self.out_rows, self.bank.depth, self.width), steps)

    def plain_result(self, y: Array) -> Array:
        """The tile of y or dy in the order of y: (images, group, outputs / group, out rows, *out rest)."""
        group, out_rows, outputs, _ = self.result
        return y.reshape(self.images, group, outputs, out_rows, *self.rest_out)

    def result_like_y(self, result: Array) -> Array:
        view = result.reshape(*self.result[:3], *self.rest_out, self.images)
        return view.transpose(-1, 0, 2, 1, *range(3, view.ndim - 1))
