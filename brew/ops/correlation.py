"""Cross-correlation of a batch with a bank of filters, and its two adjoints, on the CPU.

The columns of a tile of images are laid out with the images innermost: every copy is then a long contiguous run,
where Caffe's im2col copies rows as short as the output is wide. And where the product stays wide enough, the first
kernel axis is not copied at all: the rows of input under one row of output are neighbours in memory, so each row of
output is a matrix product over an overlapping view (Cho and Brand, "MEC: memory-efficient convolution", ICML 2017).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import as_strided

from brew.layer import Array, Buffer, Shape, count
from brew.ops.accumulate import add_matmul, scratch_shape
from brew.ops.window import Window

_TILE = 1 << 23  # elements of columns made at a time, and the most that is kept for backward
_TOGETHER = 16  # images transposed at a time: a cache line of float32


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


class _Tile:
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
        self.columns = (bank.group, rows, self.channels, *self.rest_kernel, *self.rest_out, images)
        self.result = (bank.group, self.out_rows, bank.outputs // bank.group, self.width)
        # Where every window is one element the image is its own columns.
        self.expands = self.image != self.columns or any(s != 1 for s in window.stride[first:])
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


class Correlation:
    """Forward and both gradients for one `Bank`. `buffers` says what it works in; the net allocates.

    The columns of forward are kept for `gradient_w` when they all fit one tile and `keep` is set.
    """

    def __init__(self, bank: Bank, *, keep: bool) -> None:
        self.bank = bank
        positions, outputs = count(bank.out), bank.outputs // bank.group
        self.direct = bank.window.is_pointwise and (bank.batch == 1 or positions >= 2 * outputs)
        self.by_rows = self._by_rows()
        fit = max(1, _TILE // count(_Tile(bank, 1, self.by_rows).columns))
        tiles = max(1, -(-bank.batch // fit))
        self.images = max(1, -(-bank.batch // tiles))
        tile = _Tile(bank, self.images, self.by_rows)
        copies = tile.expands or not tile.plain_image
        self.keep = keep and 0 < bank.batch == self.images and not self.direct and copies

    def _by_rows(self) -> bool:
        """Whether a row of output is wide enough to be a matrix of its own: then repacking the weights is cheap."""
        bank, window = self.bank, self.bank.window
        if len(bank.size) < 2 or window.kernel[0] == 1 or window.dilation[0] > 1:
            return False
        return count(bank.out[1:]) * bank.batch >= 2 * bank.outputs // bank.group

    def buffers(self, *, dx: bool, dw: bool) -> dict[str, Buffer]:
        tile, weights = _Tile(self.bank, self.images, self.by_rows), self.bank.weights
        if self.direct:
            together = max(1, min(self.bank.batch, (1 << 18) // max(count(weights), 1)))
            return {"product": Buffer((together, *weights))} if dw else {}
        result = {"image": Buffer(tile.image, kept=self.keep and not tile.expands)}
        if tile.expands:
            result["columns"] = Buffer(tile.columns, kept=self.keep)
        result["result"] = Buffer(tile.result)
        if self.by_rows:
            result["weights"] = Buffer(weights)
        if dx:
            result["spread"] = Buffer(tile.columns)
            if self.by_rows:
                result["row"] = Buffer((self.bank.group, self.bank.depth, tile.width))
        if dw:
            result["product"] = Buffer(weights if self.by_rows else scratch_shape(weights))
        return result

    def forward(self, x: Array, w: Array, y: Array, work: dict[str, Array]) -> None:
        """y = x correlated with w."""
        if self.direct:
            np.matmul(w.reshape(self.bank.weights), self._planes(x), out=self._planes(y))
            return
        filters = self._filters(w, work)
        for tile, part in self._tiles():
            columns = self._columns(tile, x[part], work)
            whole = y[part]
            result = whole.reshape(tile.result) if tile.plain else _part(work["result"], tile.result)
            np.matmul(filters[:, np.newaxis], tile.blocks(columns), out=result)
            if not tile.plain:
                tile.plain_result(whole)[...] = tile.result_like_y(result)

    def gradient_w(self, x: Array, dy: Array, dw: Array, work: dict[str, Array]) -> None:
        """dw += the gradient of the weights."""
        flat = dw.reshape(self.bank.weights)
        if self.direct:
            self._direct_gradient_w(self._planes(x), self._planes(dy), flat, work["product"])
            return
        for tile, part in self._tiles():
            columns = self._kept(tile, work) if self.keep else self._columns(tile, x[part], work)
            blocks, result = tile.blocks(columns).swapaxes(2, 3), self._result(tile, dy[part], work)
            if not self.by_rows:
                add_matmul(result[:, 0], blocks[:, 0], flat, work["product"])
                continue
            total = work["weights"]
            np.matmul(result[:, 0], blocks[:, 0], out=total)
            for row in range(1, tile.out_rows):
                np.matmul(result[:, row], blocks[:, row], out=work["product"])
                total += work["product"]
            self._in_row_order(dw)[...] += total.reshape(self._in_row_order(dw).shape)

    def gradient_x(self, dy: Array, w: Array, dx: Array, work: dict[str, Array]) -> None:
        """dx = the gradient of the input."""
        if self.direct:
            filters = w.reshape(self.bank.weights).swapaxes(1, 2)
            np.matmul(filters, self._planes(dy), out=self._planes(dx))
            return
        filters = self._filters(w, work).swapaxes(1, 2)
        for tile, part in self._tiles():
            result = self._result(tile, dy[part], work)
            spread = _part(work["spread"], tile.columns)
            if self.by_rows:
                self._spread_rows(tile, filters, result, spread, work)
            else:
                np.matmul(filters, result[:, 0], out=spread.reshape(self.bank.group, -1, tile.width))
            self._collect(tile, spread, dx[part], work)

    def _tiles(self) -> Iterator[tuple[_Tile, slice]]:
        for start in range(0, self.bank.batch, self.images):
            stop = min(start + self.images, self.bank.batch)
            yield _Tile(self.bank, stop - start, self.by_rows), slice(start, stop)

    def _planes(self, blob: Array) -> Array:
        """x or y as (batch, group, channels / group, positions)."""
        channels = blob.shape[1] // self.bank.group
        return blob.reshape(self.bank.batch, self.bank.group, channels, count(self.bank.out))

    def _kept(self, tile: _Tile, work: dict[str, Array]) -> Array:
        return work["columns" if tile.expands else "image"]

    def _in_row_order(self, w: Array) -> Array:
        """The weights with the first kernel axis before the channels, as the columns of a row lie."""
        kernel = self.bank.window.kernel
        group, outputs, _ = self.bank.weights
        return w.reshape(group, outputs, -1, kernel[0], count(kernel[1:])).transpose(0, 1, 3, 2, 4)

    def _filters(self, w: Array, work: dict[str, Array]) -> Array:
        if not self.by_rows:
            return w.reshape(self.bank.weights)
        ordered = self._in_row_order(w)
        work["weights"].reshape(ordered.shape)[...] = ordered
        return work["weights"]

    def _columns(self, tile: _Tile, x: Array, work: dict[str, Array]) -> Array:
        if tile.plain_image:
            image = x.reshape(tile.image)
        else:
            image = _part(work["image"], tile.image)
            tile.clear_border(image)
            inside = tile.inside(image)
            _transpose(x.reshape(inside.shape), inside)
        if not tile.expands:
            return image
        columns = _part(work["columns"], tile.columns)
        for place, elements in tile.windows(image):
            columns[place] = elements
        return columns

    def _result(self, tile: _Tile, dy: Array, work: dict[str, Array]) -> Array:
        """The tile of dy in the order of the products."""
        if tile.plain:
            return dy.reshape(tile.result)
        result = _part(work["result"], tile.result)
        _transpose(tile.plain_result(dy), tile.result_like_y(result))
        return result

    def _spread_rows(self, tile: _Tile, filters: Array, result: Array, spread: Array, work: dict[str, Array]) -> None:
        """Add every row of output's share to the rows of columns it came from."""
        spread[...] = 0
        rows = spread.reshape(*spread.shape[:2], -1, tile.width)
        share = _part(work["row"], (tile.bank.group, tile.kernel_rows, rows.shape[2], tile.width))
        for row in range(tile.out_rows):
            np.matmul(filters, result[:, row], out=share.reshape(tile.bank.group, -1, tile.width))
            start = row * tile.row_step
            rows[:, start : start + tile.kernel_rows] += share

    def _collect(self, tile: _Tile, spread: Array, dx: Array, work: dict[str, Array]) -> None:
        """Add the columns' gradients up in the image, and bring it into the order of x."""
        image = spread
        if tile.expands:
            image = dx.reshape(tile.image) if tile.plain_image else _part(work["image"], tile.image)
            image[...] = 0
            for place, elements in tile.windows(image):
                elements += spread[place]
            if tile.plain_image:
                return
        inside = tile.inside(image)
        dx.reshape(inside.shape)[...] = inside

    def _direct_gradient_w(self, x: Array, dy: Array, dw: Array, products: Array) -> None:
        for start in range(0, self.bank.batch, len(products)):
            part = slice(start, min(start + len(products), self.bank.batch))
            some = products[: part.stop - start]
            np.matmul(dy[part], x[part].swapaxes(2, 3), out=some)
            dw += some.sum(axis=0) if len(some) > 1 else some[0]


def _part(buffer: Array, shape: Shape) -> Array:
    """The first elements of a buffer, under another shape."""
    return buffer.reshape(-1)[: count(shape)].reshape(shape)


def _transpose(source: Array, target: Array) -> None:
    """Copy, some images at a time: they are innermost in target and far apart in source."""
    for start in range(0, len(source), _TOGETHER):
        target[start : start + _TOGETHER] = source[start : start + _TOGETHER]
