"""Cross-correlation of a batch with a bank of filters, and its two adjoints, on the CPU.

The columns of a tile of images are laid out with the images innermost: every copy is then a long contiguous run,
where Caffe's im2col copies rows as short as the output is wide. And where the product stays wide enough, the first
kernel axis is not copied at all: the rows of input under one row of output are neighbours in memory, so each row of
output is a matrix product over an overlapping view (Cho and Brand, "MEC: memory-efficient convolution", ICML 2017).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from brew.layer import Array, Buffer, Shape, count
from brew.ops.accumulate import add_matmul, scratch_shape

from .columns import Bank, Tile

_TILE = 1 << 23  # elements of columns made at a time, and the most that is kept for backward
_TOGETHER = 16  # images transposed at a time: a cache line of float32


class Correlation:
    """Forward and both gradients for one `Bank`. `buffers` says what it works in; the net allocates.

    The columns of forward are kept for backward when they all fit one tile and `keep` is set.
    """

    def __init__(self, bank: Bank, *, keep: bool) -> None:
        self.bank = bank
        positions, outputs = count(bank.out), bank.outputs // bank.group
        self.direct = bank.window.is_pointwise and (bank.batch == 1 or positions >= 2 * outputs)
        self.by_rows = self._by_rows()
        fit = max(1, _TILE // count(Tile(bank, 1, self.by_rows).columns))
        tiles = max(1, -(-bank.batch // fit))
        self.images = max(1, -(-bank.batch // tiles))
        tile = Tile(bank, self.images, self.by_rows)
        copies = tile.expands or not tile.plain_image
        self.keep = keep and 0 < bank.batch == self.images and not self.direct and copies

    def _by_rows(self) -> bool:
        """Whether a row of output is wide enough to be a matrix of its own: then repacking the weights is cheap."""
        bank, window = self.bank, self.bank.window
        if len(bank.size) < 2 or window.kernel[0] == 1 or window.dilation[0] > 1:
            return False
        return count(bank.out[1:]) * bank.batch >= 2 * bank.outputs // bank.group

    def buffers(self, *, dx: bool, dw: bool) -> dict[str, Buffer]:
        tile, weights = Tile(self.bank, self.images, self.by_rows), self.bank.weights
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
            if tile.overlaps:
                result["phases"] = Buffer(tile.phases)
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

    def backward(
        self,
        x: Array | None,
        w: Array,
        dy: Array,
        dx: Array | None,
        dw: Array | None,
        work: dict[str, Array],
    ) -> None:
        """dx = the gradient of x, and dw += the gradient of w, from dy; x is read for dw only."""
        if self.direct:
            if dx is not None:
                filters = w.reshape(self.bank.weights).swapaxes(1, 2)
                np.matmul(filters, self._planes(dy), out=self._planes(dx))
            if x is not None and dw is not None:
                self._direct_gradient_w(self._planes(x), self._planes(dy), dw, work["product"])
            return
        for tile, part in self._tiles():
            result = self._result(tile, dy[part], work)
            if x is not None and dw is not None:
                columns = self._kept(tile, work) if self.keep else self._columns(tile, x[part], work)
                self._gradient_w(tile, tile.blocks(columns).swapaxes(2, 3), result, dw, work)
            if dx is not None:
                self._gradient_x(tile, w, result, dx[part], work)

    def _gradient_w(self, tile: Tile, blocks: Array, result: Array, dw: Array, work: dict[str, Array]) -> None:
        if not self.by_rows:
            add_matmul(result[:, 0], blocks[:, 0], dw.reshape(self.bank.weights), work["product"])
            return
        total = work["weights"]
        np.matmul(result[:, 0], blocks[:, 0], out=total)
        for row in range(1, tile.out_rows):
            np.matmul(result[:, row], blocks[:, row], out=work["product"])
            total += work["product"]
        ordered = self._in_row_order(dw)
        ordered += total.reshape(ordered.shape)

    def _gradient_x(self, tile: Tile, w: Array, result: Array, dx: Array, work: dict[str, Array]) -> None:
        filters = self._filters(w, work).swapaxes(1, 2)
        spread = _part(work["spread"], tile.columns)
        if self.by_rows:
            self._spread_rows(tile, filters, result, spread, work)
        else:
            _matmul(filters, result[:, 0], spread.reshape(self.bank.group, -1, tile.width))
        self._collect(tile, spread, dx, work)

    def _tiles(self) -> Iterator[tuple[Tile, slice]]:
        for start in range(0, self.bank.batch, self.images):
            stop = min(start + self.images, self.bank.batch)
            yield Tile(self.bank, stop - start, self.by_rows), slice(start, stop)

    def _planes(self, blob: Array) -> Array:
        """x or y as (batch, group, channels / group, positions)."""
        channels = blob.shape[1] // self.bank.group
        return blob.reshape(self.bank.batch, self.bank.group, channels, count(self.bank.out))

    def _kept(self, tile: Tile, work: dict[str, Array]) -> Array:
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

    def _columns(self, tile: Tile, x: Array, work: dict[str, Array]) -> Array:
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

    def _result(self, tile: Tile, dy: Array, work: dict[str, Array]) -> Array:
        """The tile of dy in the order of the products."""
        if tile.plain:
            return dy.reshape(tile.result)
        result = _part(work["result"], tile.result)
        _transpose(tile.plain_result(dy), tile.result_like_y(result))
        return result

    def _spread_rows(self, tile: Tile, filters: Array, result: Array, spread: Array, work: dict[str, Array]) -> None:
        """Add every row of output's share to the rows of columns it came from."""
        spread[...] = 0
        rows = spread.reshape(*spread.shape[:2], -1, tile.width)
        share = _part(work["row"], (tile.bank.group, tile.kernel_rows, rows.shape[2], tile.width))
        for row in range(tile.out_rows):
            _matmul(filters, result[:, row], share.reshape(tile.bank.group, -1, tile.width))
            start = row * tile.row_step
            rows[:, start : start + tile.kernel_rows] += share

    def _collect(self, tile: Tile, spread: Array, dx: Array, work: dict[str, Array]) -> None:
        """Add the columns' gradients up in the image, and bring it into the order of x."""
        image = spread
        if tile.expands:
            image = dx.reshape(tile.image) if tile.plain_image else _part(work["image"], tile.image)
            if tile.overlaps:
                tile.add_up(spread, image, _part(work["phases"], tile.phases))
            else:
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
            dw.reshape(self.bank.weights)[...] += some.sum(axis=0) if len(some) > 1 else some[0]


def _matmul(a: Array, b: Array, out: Array) -> None:
    """out = a @ b; with an inner size of one, as in depthwise groups, multiplying is faster than BLAS."""
    if b.shape[-2] == 1:
        np.multiply(a, b, out=out)
    else:
        np.matmul(a, b, out=out)


def _part(buffer: Array, shape: Shape) -> Array:
    """The first elements of a buffer, under another shape."""
    return buffer.reshape(-1)[: count(shape)].reshape(shape)


def _transpose(source: Array, target: Array) -> None:
    """Copy, some images at a time: they are innermost in target and far apart in source."""
    for start in range(0, len(source), _TOGETHER):
        target[start : start + _TOGETHER] = source[start : start + _TOGETHER]
