"""Code that takes blobs in blocks of channels apart into tiles, transformed, and puts tiles together again.

A blob's array is (n, blocks, h, w, vector), as layer.layout has it. Tiles are counted through all images, row by row.
Transformed tiles lie as (side * side, blocks, tiles, vector): for each of their elements a matrix, of which products
of matrices are made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Bool, Cell, Int, Vector
from brew.cpu.llvm.writer import Writer

from .transforms import Matrix, apply_twice, transposed

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


@dataclass(frozen=True)
class _Tile:
    """A square of `side` pixels of a blob, of a block of channels, and where it lies transformed."""

    w: Writer
    of: dict[str, Int]
    side: int
    block: Int
    top: Int  # row and column of its first pixel; they may lie outside the blob
    left: Int
    corner: Int  # bytes from the beginning of the blob to there
    place: Int  # address of its first element

    def pixels(self) -> Iterator[tuple[int, int, Int, Bool]]:
        """Row and column in the tile, bytes from the beginning of the blob, and whether it lies in it."""
        rows = [(self.top + i).inside(self.of["height"]) for i in range(self.side)]
        columns = [(self.left + j).inside(self.of["width"]) for j in range(self.side)]
        for i, j in product(range(self.side), repeat=2):
            yield i, j, self.corner + self.of["row"] * i + self.w.bytes * j, rows[i] & columns[j]

    @property
    def whole(self) -> Bool:
        """Whether it lies in the blob."""
        return _inside(self.top, self.side, self.of["height"]) & _inside(self.left, self.side, self.of["width"])

    def load(self, side: int) -> list[list[Vector]]:
        """It transformed, `side` elements to a row."""
        w, element = self.w, self.of["element"]
        return [[w.load(self.place + element * (i * side + j)) for j in range(side)] for i in range(side)]

    def store(self, values: list[list[Vector]]) -> None:
        """It transformed."""
        for number, value in enumerate(value for row in values for value in row):
            self.w.store(self.place + self.of["element"] * number, value)

    def each(self, put: Callable[[int, int, Int], None]) -> None:
        """Write `put(row, column, bytes from the beginning of the blob)` for every pixel that lies in the blob."""
        whole = self.whole
        with self.w.when(whole):
            for i, j, distance, _ in self.pixels():
                put(i, j, distance)
        with self.w.when(whole.negated()):
            for i, j, distance, inside in self.pixels():
                with self.w.when(inside):
                    put(i, j, distance)


@contextmanager
def _tiles(
    w: Writer, of: dict[str, Int], first: Int, count: Int, transformed: Int, side: int, stride: int,
    before: Callable[[Int], None] = lambda block: None,
) -> Iterator[_Tile]:  # fmt: skip
    """Over `count` tiles, `stride` pixels apart, one block of channels after the other, each begun with `before`."""
    with w.loop(0, of["blocks"]) as block:
        before(block)
        walk = _Walk(w, of, first)
        channels, there = block * of["block"], transformed + block * of["tile_block"]
        with w.loop(0, count) as number:
            image, y, x = walk.place()
            top, left = y * stride - of["top"], x * stride - of["left"]
            corner = channels + image * of["image"] + top * of["row"] + left * w.bytes
            yield _Tile(w, of, side, block, top, left, corner, there + number * w.bytes)
            walk.step()


def write_tiles(w: Writer, matrix: Matrix, stride: int) -> None:
    """entry(table, first, count, target): transform `count` tiles of a blob, `stride` pixels apart.

    A tile has as many rows and columns as the matrix has columns; what is outside the blob counts as 0.
    """
    table, first, count, target = w.function(4)
    of, side = SLOTS.read(w, table), len(matrix[0])
    with _tiles(w, of, first, count, target, side, stride) as tile:
        whole = tile.whole
        for lies_inside, condition in ((True, whole), (False, whole.negated())):
            with w.when(condition):
                taken: list[list[Vector]] = [[] for _ in range(side)]
                for i, _, distance, inside in tile.pixels():
                    address = of["blob"] + distance
                    taken[i].append(w.load(address if lies_inside else inside.select(address, of["zeros"])))
                tile.store(apply_twice(w, matrix, taken))


def write_untile(w: Writer, a: Matrix, *, added: bool) -> None:
    """entry(table, first, count, source): the inverse, y = At M A for `count` tiles, into the blob.

    With the bias, with `added` the values of another blob that lies alike, and with the ReLU of `slope` (1: none).
    """
    table, first, count, source = w.function(4)
    of, at = SLOTS.read(w, table), transposed(a)
    slope, stride = w.load(of["slope"]), len(at)
    with _tiles(w, of, first, count, source, stride, stride) as tile:
        bias = w.load(of["bias"] + tile.block * w.bytes)
        values = apply_twice(w, at, tile.load(len(a)))

        def put(i: int, j: int, distance: Int) -> None:
            value = values[i][j] + bias  # runs within this turn of the loop
            if added:
                value = value + w.load(of["added"] + distance)
            w.store(of["blob"] + distance, value.rectified(slope))

        tile.each(put)


def write_overlap(w: Writer, b: Matrix, stride: int) -> None:
    """entry(table, first, count, source): B M Bt of `count` tiles, all of some images, added up in the blob.

    A tile's corner is `stride` pixels from its neighbours'; its pixels are as many as the matrix has rows, and those
    outside the blob are left out.
    """
    table, first, count, source = w.function(4)
    of, side = SLOTS.read(w, table), len(b)
    per_image = of["down"] * of["across"]
    start, end = first // per_image, (first + count) // per_image

    def clear(block: Int) -> None:
        with w.loop(start, end) as image:
            plane = of["blob"] + block * of["block"] + image * of["image"]
            with w.loop(plane, plane + of["height"] * of["row"], w.bytes) as pixel:
                w.store(pixel, w.splat(0.0))

    with _tiles(w, of, first, count, source, side, stride, clear) as tile:
        values = apply_twice(w, b, tile.load(side))

        def put(i: int, j: int, distance: Int) -> None:
            address = of["blob"] + distance
            w.store(address, w.load(address) + values[i][j])

        tile.each(put)


def _inside(start: Int, length: int, size: Int) -> Bool:
    """Whether [start, start + length) lies in [0, size)."""
    return (start >= 0) & (start + (length - 1) < size)


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
