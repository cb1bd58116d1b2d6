"""Code of batch normalisation (brew.cpu.native.batch_norm): a vector holds a pixel of a block of channels.

A unit of work is a chunk of the pixels of an image and block. What is summed over a batch is summed in each unit by
itself, and these are joined in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Cell, Int, Vector
from brew.cpu.llvm.writer import Writer

AT_ONCE = 4  # pixels, each with sums of its own

# Of a block of channels, behind one another in `factors`: with x less its mean, y = slope * x + offset, and
# dx = slope * dy + by_x * x + rest. Only so nothing is lost where the mean is far from 0.
SLOPE, OFFSET, BY_X, REST, FACTORS = range(5)
# In `numbers`: pixels of a whole chunk and of the last one, of the batch, one over these, and epsilon.
WHOLE, LAST, BATCH, OVER_WHOLE, OVER_LAST, OVER_BATCH, EPSILON = range(7)

SLOTS = Slots(
    "x", "y", "dy", "dx",  # addresses of blobs that lie alike
    "image", "block", "chunk",  # bytes
    "blocks", "chunks", "units",  # numbers of them; chunks of an image and block, units of all
    "partial", "numbers", "mean", "variance", "factors",  # addresses
    "scale", "shift", "channels",  # addresses of a number for each channel, or 0; their number
    "d_scale", "d_shift",  # addresses of vectors for each block
)  # fmt: skip


@dataclass(frozen=True)
class Norm:
    """The variant of the code: operations after the normalisation; `streams`: results are written past the caches."""

    scale: bool
    shift: bool
    relu: bool
    streams: bool = False


@dataclass(frozen=True)
class _Unit:
    number: Int
    block: Int
    start: Int  # bytes from the beginning of a blob
    end: Int
    last: Int  # 1 where it is the last chunk of its image and block


@contextmanager
def _units(w: Writer, of: dict[str, Int], thread: Int, threads: Int) -> Iterator[_Unit]:
    """Over the units of a thread."""
    with w.share(of["units"], thread, threads) as number:
        chunk, place = number % of["chunks"], number // of["chunks"]
        block = place % of["blocks"]
        plane = place // of["blocks"] * of["image"] + block * of["block"]
        start = chunk * of["chunk"]
        end = (start + of["chunk"]).least(of["block"])
        last = (chunk + 1).equals(of["chunks"]).select(1, 0)
        yield _Unit(number, block, plane + start, plane + end, last)


def _pixels(w: Writer, unit: _Unit, work: Callable[[Sequence[Int]], None]) -> None:
    """`work(distances)` for all pixels of a unit, some at once and then one by one."""
    step = AT_ONCE * w.bytes
    whole = unit.start + (unit.end - unit.start) // step * step
    with w.loop(unit.start, whole, step) as at:
        work([at + k * w.bytes for k in range(AT_ONCE)])
    with w.loop(whole, unit.end, w.bytes) as at:
        work([at])


class _Sum:
    """A sum over pixels, in parts."""

    def __init__(self, w: Writer) -> None:
        self._cells = [Cell(w, w.splat(0)) for _ in range(AT_ONCE)]

    def add(self, part: int, value: Vector) -> None:
        self._cells[part].set(self._cells[part].get() + value)

    def add_product(self, part: int, one: Vector, other: Vector) -> None:
        self._cells[part].set(one.times_plus(other, self._cells[part].get()))

    def total(self) -> Vector:
        a, b, c, d = (cell.get() for cell in self._cells)
        total: Vector = (a + b) + (c + d)
        return total


def _number(w: Writer, of: dict[str, Int], which: int) -> Vector:
    return w.broadcast(of["numbers"] + 4 * which)


def _either(w: Writer, of: dict[str, Int], last: Int, whole: int) -> Vector:
    """A number of a whole chunk, or where `last` is 1 that of the last, which lies behind it."""
    return w.broadcast(of["numbers"] + (last + whole) * 4)


def _factor(w: Writer, of: dict[str, Int], block: Int, which: int) -> Int:
    return of["factors"] + (block * FACTORS + which) * w.bytes


def _put_sums(w: Writer, of: dict[str, Int], unit: _Unit, one: Vector, other: Vector) -> None:
    place = of["partial"] + unit.number * (2 * w.bytes)
    w.store(place, one)
    w.store(place + w.bytes, other)


@contextmanager
def _sums(w: Writer, of: dict[str, Int], block: Int) -> Iterator[tuple[Vector, Vector, Int]]:
    """Over what the units of a block of channels have summed, and whether each is a last chunk."""
    step = of["blocks"] * of["chunks"]
    with w.loop(block * of["chunks"], of["units"], step) as first, w.loop(0, of["chunks"]) as chunk:
        place = of["partial"] + (first + chunk) * (2 * w.bytes)
        yield w.load(place), w.load(place + w.bytes), (chunk + 1).equals(of["chunks"]).select(1, 0)


# --- forward ----------------------------------------------------------------------------------------------------------


def write_statistics(w: Writer) -> None:
    """entry(table, thread, threads): each unit's mean, and the sum of the squares of what its pixels are beside it.

    The second time over a unit its pixels are in the cache.
    """
    table, thread, threads = w.function(3)
    of = SLOTS.read(w, table)
    with _units(w, of, thread, threads) as unit:
        total, squares = _Sum(w), _Sum(w)

        def add(distances: Sequence[Int]) -> None:
            for k, distance in enumerate(distances):
                total.add(k, w.load(of["x"] + distance))

        _pixels(w, unit, add)
        mean = total.total() * _either(w, of, unit.last, OVER_WHOLE)

        def square(distances: Sequence[Int]) -> None:
            for k, distance in enumerate(distances):
                beside = w.load(of["x"] + distance) - mean
                squares.add_product(k, beside, beside)

        _pixels(w, unit, square)
        _put_sums(w, of, unit, mean, squares.total())


def write_joined(w: Writer, how: Norm) -> None:
    """entry(table, thread, threads): mean and variance of every channel from its units' (Chan et al. 1979), and the
    factors of forward."""
    table, thread, threads = w.function(3)
    of = SLOTS.read(w, table)
    with w.loop(thread, of["blocks"], threads) as block:
        total, squares = Cell(w, w.splat(0)), Cell(w, w.splat(0))
        with _sums(w, of, block) as (mean, _, last):
            total.set(mean.times_plus(_either(w, of, last, WHOLE), total.get()))
        mean = total.get() * _number(w, of, OVER_BATCH)
        with _sums(w, of, block) as (own, square, last):
            beside = own - mean
            squares.set((beside * beside).times_plus(_either(w, of, last, WHOLE), squares.get() + square))
        variance = squares.get() * _number(w, of, OVER_BATCH)
        w.store(of["mean"] + block * w.bytes, mean)
        w.store(of["variance"] + block * w.bytes, variance)
        slope = _slope(w, of, how, block, variance)
        shift = _of_channel(w, of, "shift", block) if how.shift else w.splat(0)
        w.store(_factor(w, of, block, SLOPE), slope)
        w.store(_factor(w, of, block, OFFSET), shift)


def _of_channel(w: Writer, of: dict[str, Int], what: str, block: Int) -> Vector:
    return w.gather(of[what] + block * w.bytes, w.number(4), of["channels"] - block * w.width)


def _slope(w: Writer, of: dict[str, Int], how: Norm, block: Int, variance: Vector) -> Vector:
    over = w.splat(1) / (variance + _number(w, of, EPSILON)).root()
    return over * _of_channel(w, of, "scale", block) if how.scale else over


def write_normalised(w: Writer, how: Norm) -> None:
    """entry(table, thread, threads): y = slope * (x - mean) + offset, and its ReLU."""
    table, thread, threads = w.function(3)
    of, store = SLOTS.read(w, table), w.stream if how.streams else w.store
    with _units(w, of, thread, threads) as unit:
        slope, offset = (w.load(_factor(w, of, unit.block, which)) for which in (SLOPE, OFFSET))
        mean = w.load(of["mean"] + unit.block * w.bytes)

        def put(distances: Sequence[Int]) -> None:
            for distance in distances:
                value = (w.load(of["x"] + distance) - mean).times_plus(slope, offset)
                store(of["y"] + distance, value.rectified(w.splat(0)) if how.relu else value)

        _pixels(w, unit, put)
    if how.streams:
        w.fence()


# --- backward ---------------------------------------------------------------------------------------------------------


def _rectified_gradient(w: Writer, of: dict[str, Int], how: Norm, block: Int) -> Callable[[Int, Vector], Vector]:
    """Reads the gradient of a normalised pixel; the mask of the ReLU comes once more from x, which is less its mean."""
    slope, offset = (w.load(_factor(w, of, block, which)) for which in (SLOPE, OFFSET))

    def read(distance: Int, x: Vector) -> Vector:
        gradient = w.load(of["dy"] + distance)
        return gradient.where_above_zero(x.times_plus(slope, offset)) if how.relu else gradient

    return read


def write_reduced(w: Writer, how: Norm) -> None:
    """entry(table, thread, threads): each unit's sums of the gradient, and of gradient * (x - mean)."""
    table, thread, threads = w.function(3)
    of = SLOTS.read(w, table)
    with _units(w, of, thread, threads) as unit:
        read, mean = _rectified_gradient(w, of, how, unit.block), w.load(of["mean"] + unit.block * w.bytes)
        total, products = _Sum(w), _Sum(w)

        def add(distances: Sequence[Int]) -> None:
            for k, distance in enumerate(distances):
                x = w.load(of["x"] + distance) - mean
                gradient = read(distance, x)
                total.add(k, gradient)
                products.add_product(k, gradient, x)

        _pixels(w, unit, add)
        _put_sums(w, of, unit, total.total(), products.total())


def write_joined_back(w: Writer) -> None:
    """entry(table, thread, threads): the gradients of scale and shift, and the factors of backward."""
    table, thread, threads = w.function(3)
    of = SLOTS.read(w, table)
    with w.loop(thread, of["blocks"], threads) as block:
        total, products = Cell(w, w.splat(0)), Cell(w, w.splat(0))
        with _sums(w, of, block) as (gradient, product, _):
            total.set(total.get() + gradient)
            products.set(products.get() + product)
        variance = w.load(of["variance"] + block * w.bytes) + _number(w, of, EPSILON)
        slope = w.load(_factor(w, of, block, SLOPE))
        w.store(of["d_shift"] + block * w.bytes, total.get())
        w.store(of["d_scale"] + block * w.bytes, products.get() / variance.root())
        over = _number(w, of, OVER_BATCH)
        w.store(_factor(w, of, block, BY_X), w.splat(0) - slope * products.get() * over / variance)
        w.store(_factor(w, of, block, REST), w.splat(0) - slope * total.get() * over)


def write_gradient(w: Writer, how: Norm) -> None:
    """entry(table, thread, threads): dx = slope * gradient + by_x * (x - mean) + rest."""
    table, thread, threads = w.function(3)
    of, store = SLOTS.read(w, table), w.stream if how.streams else w.store
    with _units(w, of, thread, threads) as unit:
        read = _rectified_gradient(w, of, how, unit.block)
        slope, by_x, rest = (w.load(_factor(w, of, unit.block, which)) for which in (SLOPE, BY_X, REST))
        mean = w.load(of["mean"] + unit.block * w.bytes)

        def put(distances: Sequence[Int]) -> None:
            for distance in distances:
                x = w.load(of["x"] + distance) - mean
                store(of["dx"] + distance, read(distance, x).times_plus(slope, x.times_plus(by_x, rest)))

        _pixels(w, unit, put)
    if how.streams:
        w.fence()
