"""Code that takes blobs in blocks of channels apart into tiles, transformed, and puts tiles together again.

A blob's array is (n, blocks, h, w, vector), as brew.layout has it. Tiles are counted through all images, row by row.
Transformed tiles lie as (side * side, blocks, tiles, vector): for each of their elements a matrix, of which products
of matrices are made.
"""

from __future__ import annotations

from itertools import product

from .slots import Slots
from .transforms import Matrix, apply_twice, transposed
from .writer import Bool, Cell, Int, Vector, Writer

# Bytes, but for the last three rows: what the functions below read from their table.
SLOTS = Slots(
    "blob", "image", "block", "row", "zeros",  # addresses and distances in the blob; a vector of zeros
    "element", "tile_block",  # distances between elements of a tile, and between blocks of channels among tiles
    "bias", "added",  # addresses: a number for each channel, and a blob to add
    "height", "width", "blocks",  # of the blob
    "down", "across",  # tiles in an image
    "top", "left",  # what stands before the first row and column
    "slope",  # address of a vector
)  # fmt: skip


class _Walk:
    """Tile after tile: where each lies in its image."""

    def __init__(self, w: Writer, of: dict[str, Int], first: Int) -> None:
        self._of = of
        per_image = of["down"] * of["across"]
        inside = first % per_image
        self._image, self._y, self._x = (
            Cell(w, value) for value in (first // per_image, inside // of["across"], inside % of["across"])
        )

    def place(self) -> tuple[Int, Int, Int]:
        """Image, and row and column of the tile among its tiles."""
        return self._image.get(), self._y.get(), self._x.get()

    def step(self) -> None:
        image, y, x = self.place()
        x = x + 1
        over = x.equals(self._of["across"])
        y = over.select(y + 1, y)
        last = over & y.equals(self._of["down"])
        self._x.set(over.select(x * 0, x))
        self._y.set(last.select(y * 0, y))
        self._image.set(last.select(image + 1, image))


def write_tiles(w: Writer, matrix: Matrix, stride: int) -> None:
    """entry(table, first, count, target): transform `count` tiles of a blob, `stride` pixels apart.

    A tile has as many rows and columns as the matrix has columns; what is outside the blob counts as 0.
    """
    table, first, count, target = w.function(4)
    of = SLOTS.read(w, table)
    side = len(matrix[0])
    with w.loop(0, of["blocks"]) as block:
        walk = _Walk(w, of, first)
        here = of["blob"] + block * of["block"]
        there = target + block * of["tile_block"]
        with w.loop(0, count) as number:
            image, y, x = walk.place()
            top, left = y * stride - of["top"], x * stride - of["left"]
            corner = here + image * of["image"] + top * of["row"] + left * w.bytes
            place = there + number * w.bytes
            inside = _inside(top, side, of["height"]) & _inside(left, side, of["width"])
            with w.when(inside):
                lines = [corner + of["row"] * i for i in range(side)]
                tile = [[w.load(line + w.bytes * j) for j in range(side)] for line in lines]
                _store_tile(w, matrix, tile, place, of["element"])
            with w.when(inside.negated()):
                rows = [_within(top + i, of["height"]) for i in range(side)]
                columns = [_within(left + j, of["width"]) for j in range(side)]
                addresses = [[corner + of["row"] * i + w.bytes * j for j in range(side)] for i in range(side)]
                tile = [
                    [w.load((rows[i] & columns[j]).select(addresses[i][j], of["zeros"])) for j in range(side)]
                    for i in range(side)
                ]
                _store_tile(w, matrix, tile, place, of["element"])
            walk.step()


def _store_tile(w: Writer, matrix: Matrix, tile: list[list[Vector]], place: Int, element: Int) -> None:
    for i, row in enumerate(apply_twice(w, matrix, tile)):
        for j, value in enumerate(row):
            w.store(place + element * (i * len(matrix) + j), value)


def _within(index: Int, size: Int) -> Bool:
    return (index >= 0) & (index < size)


def _inside(start: Int, length: int, size: Int) -> Bool:
    """Whether [start, start + length) lies in [0, size)."""
    return (start >= 0) & (start + (length - 1) < size)


def write_untile(w: Writer, a: Matrix, *, added: bool) -> None:
    """entry(table, first, count, source): the inverse, y = At M A for `count` tiles, into the blob.

    With the bias, with `added` the values of another blob that lies alike, and with the ReLU of `slope` (1: none).
    """
    table, first, count, source = w.function(4)
    of = SLOTS.read(w, table)
    at = transposed(a)
    side, stride = len(a), len(at)
    slope = w.load(of["slope"])
    with w.loop(0, of["blocks"]) as block:
        walk = _Walk(w, of, first)
        offset = block * of["block"]
        bias = w.load(of["bias"] + block * w.bytes)
        here = source + block * of["tile_block"]
        with w.loop(0, count) as number:
            image, y, x = walk.place()
            top, left = y * stride, x * stride
            place = here + number * w.bytes
            tile = [[w.load(place + of["element"] * (i * side + j)) for j in range(side)] for i in range(side)]
            values = apply_twice(w, at, tile)
            corner = offset + image * of["image"] + top * of["row"] + left * w.bytes
            whole = _inside(top, stride, of["height"]) & _inside(left, stride, of["width"])

            def finish(value: Vector, distance: Int) -> None:
                value = value + bias  # runs within this turn of the loop
                if added:
                    value = value + w.load(of["added"] + distance)
                w.store(of["blob"] + distance, value.rectified(slope))

            pixels = [(i, j) for i in range(stride) for j in range(stride)]
            with w.when(whole):
                for i, j in pixels:
                    finish(values[i][j], corner + of["row"] * i + w.bytes * j)
            with w.when(whole.negated()):
                for i, j in pixels:
                    with w.when((top + i < of["height"]) & (left + j < of["width"])):
                        finish(values[i][j], corner + of["row"] * i + w.bytes * j)
            walk.step()


def write_overlap(w: Writer, b: Matrix, stride: int) -> None:
    """entry(table, first, count, source): B M Bt of `count` tiles, all of some images, added up in the blob.

    A tile's corner is `stride` pixels from its neighbours'; its pixels are as many as the matrix has rows, and those
    outside the blob are left out.
    """
    table, first, count, source = w.function(4)
    of = SLOTS.read(w, table)
    side = len(b)
    per_image = of["down"] * of["across"]
    start, end = first // per_image, (first + count) // per_image
    with w.loop(0, of["blocks"]) as block:
        channels = of["blob"] + block * of["block"]
        with w.loop(start, end) as image:
            plane = channels + image * of["image"]
            with w.loop(plane, plane + of["height"] * of["row"], w.bytes) as pixel:
                w.store(pixel, w.splat(0.0))
        walk = _Walk(w, of, first)
        here = source + block * of["tile_block"]
        with w.loop(0, count) as number:
            image, y, x = walk.place()
            top, left = y * stride - of["top"], x * stride - of["left"]
            corner = channels + image * of["image"] + top * of["row"] + left * w.bytes
            place = here + number * w.bytes
            tile = [[w.load(place + of["element"] * (i * side + j)) for j in range(side)] for i in range(side)]
            values = apply_twice(w, b, tile)
            whole = _inside(top, side, of["height"]) & _inside(left, side, of["width"])
            with w.when(whole):
                for i, j in product(range(side), repeat=2):
                    _add(w, corner + of["row"] * i + w.bytes * j, values[i][j])
            with w.when(whole.negated()):
                for i, j in product(range(side), repeat=2):
                    with w.when(_within(top + i, of["height"]) & _within(left + j, of["width"])):
                        _add(w, corner + of["row"] * i + w.bytes * j, values[i][j])
            walk.step()


def _add(w: Writer, address: Int, value: Vector) -> None:
    w.store(address, w.load(address) + value)


SUM = Slots("blob", "image", "block", "blocks", "images", "plane", "sums")


def write_sum(w: Writer) -> None:
    """entry(table, thread, threads): the sums of a blob over images and pixels, one for each channel.

    A `plane` is the bytes of a block of channels of an image. Each thread takes blocks of its own.
    """
    table, thread, threads = w.function(3)
    of = SUM.read(w, table)
    with w.loop(thread, of["blocks"], threads) as block:
        total = Cell(w, w.splat(0.0))
        with w.loop(0, of["images"]) as image:
            start = of["blob"] + image * of["image"] + block * of["block"]
            part = Cell(w, w.splat(0.0))  # long sums in parts lose less to rounding
            with w.loop(start, start + of["plane"], w.bytes) as pixel:
                part.set(part.get() + w.load(pixel))
            total.set(total.get() + part.get())
        w.store(of["sums"] + block * w.bytes, total.get())
