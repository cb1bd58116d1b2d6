"""Code of depthwise convolutions (brew.cpu.native.depthwise): a vector holds a pixel of a block of channels.

Columns whose every tap lies in the blob are computed some at once, the few beside them one by one, with zeros for what
lies outside. Rows outside are a row of zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Cell, Int, Vector
from brew.cpu.llvm.writer import Writer

TAPS = 3
_BACKWARD_AT_ONCE = {1: 4, 2: 1}  # groups of `stride` pixels, by stride; more do not fit in the registers

_UNITS = ("units", "blocks", "bands", "images", "of_unit", "of_band", "rows")
_BLOBS = tuple(
    f"{name}{what}" for name in ("source", "target") for what in ("", "_block", "_image", "_row", "_height", "_width")
)
_COMMON = (*_UNITS, *_BLOBS, "filters", "channels", "zeros", "top", "left", "inner", "inner_end")
FORWARD = Slots(*_COMMON, "bias", "added", "slope")
BACKWARD = Slots(*_COMMON, "across", "of_target", "d_source", "partial")
ADD = Slots("partial", "units", "blocks", "bands", "gradient", "count", "channels")

Grid = list[list[Vector]]


@contextmanager
def _units(w: Writer, of: dict[str, Int], thread: Int, threads: Int) -> Iterator[tuple[Int, Int, Int]]:
    """Over the units of a thread: its number, its block of channels and its band of rows."""
    with w.share(of["units"], thread, threads) as unit:
        yield unit, unit // of["bands"] % of["blocks"], unit % of["bands"]


@contextmanager
def _images(w: Writer, of: dict[str, Int], unit: Int) -> Iterator[Int]:
    """Over the images of a unit."""
    first = unit // (of["blocks"] * of["bands"]) * of["of_unit"]
    with w.loop(first, (first + of["of_unit"]).least(of["images"])) as image:
        yield image


def _filters(w: Writer, of: dict[str, Int], block: Int) -> Grid:
    """The filters of a block of channels; 0 for channels behind the last."""
    size = TAPS * TAPS * 4
    place, known = of["filters"] + block * (w.width * size), of["channels"] - block * w.width
    stride = w.number(size)
    return [[w.gather(place + (i * TAPS + j) * 4, stride, known) for j in range(TAPS)] for i in range(TAPS)]


def _columns(w: Writer, of: dict[str, Int], end: Int, at_once: int, inner: Callable[[Int, int], None],
             edge: Callable[[Int], None]) -> None:  # fmt: skip
    """All columns of a row up to `end`: those inside, `at_once` of them and then one by one, and those at the edges."""
    whole = of["inner"] + (of["inner_end"] - of["inner"]) // at_once * at_once
    with w.loop(0, of["inner"]) as column:
        edge(column)
    with w.loop(of["inner"], whole, at_once) as column:
        inner(column, at_once)
    with w.loop(whole, of["inner_end"]) as column:
        inner(column, 1)
    with w.loop(of["inner_end"], end) as column:
        edge(column)


# --- forward ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Forward:
    """The variant of the code: `at_once` pixels are computed together; `streams`: they are written past the caches.

    bias, added, slope   what is done to a pixel before it is written (brew.cpu.native.winograd.Finish)
    """

    stride: int
    at_once: int
    bias: bool
    added: bool
    slope: bool
    streams: bool


def write_forward(w: Writer, how: Forward) -> None:
    """entry(table, thread, threads)"""
    table, thread, threads = w.function(3)
    of = FORWARD.read(w, table)
    with _units(w, of, thread, threads) as (unit, block, band):
        filters, bias = _filters(w, of, block), w.splat(0)
        if how.bias:
            bias = w.gather(of["bias"] + block * w.bytes, w.number(4), of["channels"] - block * w.width)
        first = band * of["of_band"]
        with _images(w, of, unit) as image:
            source = of["source"] + image * of["source_image"] + block * of["source_block"]
            place = image * of["target_image"] + block * of["target_block"]
            with w.loop(first, (first + of["of_band"]).least(of["rows"])) as row:
                above = row * how.stride - of["top"]
                rows = [
                    (above + i).inside(of["source_height"]).select(source + (above + i) * of["source_row"], of["zeros"])
                    for i in range(TAPS)
                ]
                _forward_row(w, of, how, rows, place + row * of["target_row"], filters, bias)
    if how.streams:
        w.fence()


def _forward_row(
    w: Writer, of: dict[str, Int], how: Forward, rows: Sequence[Int], place: Int, filters: Grid, bias: Vector
) -> None:
    """From these rows of the source, a row of the target, which lies at `place` in it."""
    stride, store = how.stride, w.stream if how.streams else w.store
    slope = w.load(of["slope"]) if how.slope else None

    def put(column: Int, sums: Sequence[Vector]) -> None:
        for t, value in enumerate(sums):
            at = place + column * w.bytes + t * w.bytes
            value = value + w.load(of["added"] + at) if how.added else value
            store(of["target"] + at, value if slope is None else value.rectified(slope))

    def inner(column: Int, count: int) -> None:
        start, sums = (column * stride - of["left"]) * w.bytes, [bias] * count
        for i in range(TAPS):
            for c in range((count - 1) * stride + TAPS):
                value = w.load(rows[i] + start + c * w.bytes)
                for t in range(count):
                    if 0 <= c - t * stride < TAPS:
                        sums[t] = value.times_plus(filters[i][c - t * stride], sums[t])
        put(column, sums)

    def edge(column: Int) -> None:
        total, start = bias, column * stride - of["left"]
        inside = [(start + j).inside(of["source_width"]) for j in range(TAPS)]
        for i in range(TAPS):
            for j in range(TAPS):
                at = inside[j].select(rows[i] + (start + j) * w.bytes, of["zeros"])
                total = w.load(at).times_plus(filters[i][j], total)
        put(column, [total])

    _columns(w, of, of["target_width"], how.at_once, inner, edge)


# --- backward ---------------------------------------------------------------------------------------------------------


class _Sums:
    """Where a unit adds up its part of the gradients of filters and bias."""

    def __init__(self, w: Writer, *, filters: bool, bias: bool) -> None:
        self._w = w
        taps = range(TAPS if filters else 0)
        self.filters = [[Cell(w, w.splat(0)) for _ in taps] for _ in taps]
        self.bias = Cell(w, w.splat(0)) if bias else None

    def clear(self) -> None:
        for cell in self._all():
            cell.set(self._w.splat(0))

    def _all(self) -> list[Cell]:
        return [cell for row in self.filters for cell in row] + ([] if self.bias is None else [self.bias])

    def put(self, place: Int) -> None:
        numbered = [(i * TAPS + j, cell) for i, row in enumerate(self.filters) for j, cell in enumerate(row)]
        if self.bias is not None:
            numbered.append((TAPS * TAPS, self.bias))
        for number, cell in numbered:
            self._w.store(place + number * self._w.bytes, cell.get())


@dataclass(frozen=True)
class Backward:
    """The variant of the code: which gradients; `streams`: that of the source is written past the caches."""

    stride: int
    data: bool
    filters: bool
    bias: bool
    streams: bool


def write_backward(w: Writer, how: Backward) -> None:
    """entry(table, thread, threads): over groups of `stride` rows of the source, from its padding on."""
    stride = how.stride
    table, thread, threads = w.function(3)
    of = BACKWARD.read(w, table)
    sums = _Sums(w, filters=how.filters, bias=how.bias)
    with _units(w, of, thread, threads) as (unit, block, band):
        known = _filters(w, of, block) if how.data else []
        sums.clear()
        first = band * of["of_band"]
        with _images(w, of, unit) as image:
            there = image * of["source_image"] + block * of["source_block"]
            gradient = of["target"] + image * of["target_image"] + block * of["target_block"]
            with w.loop(first, (first + of["of_band"]).least(of["rows"])) as group:
                for r in range(stride):
                    row = group * stride - of["top"] + r
                    with w.when(row.inside(of["source_height"])):
                        place = there + row * of["source_row"]
                        _Row(w, of, how, r, group, place, gradient).write(known, sums)
            if sums.bias is not None:
                _sum_bias(w, of, gradient, band, sums.bias)
        sums.put(of["partial"] + unit * ((TAPS * TAPS + 1) * w.bytes))
    if how.streams:
        w.fence()


class _Row:
    """Backward of row `r` of a group of rows, which lies at `place` in the source.

    It meets the filters' rows r, r + stride, ..., each with one row of the target's gradient.
    """

    def __init__(
        self, w: Writer, of: dict[str, Int], how: Backward, r: int, group: Int, place: Int, gradient: Int
    ) -> None:
        self.w, self.of, self.stride, self.place = w, of, how.stride, place
        self.store = w.stream if how.streams else w.store
        self.met: dict[int, Int] = {}
        for i in range(r, TAPS, self.stride):
            row = group - (i - r) // self.stride
            inside = row.inside(of["target_height"])
            self.met[i] = inside.select(gradient + row * of["target_row"], of["zeros"])

    def write(self, known: Grid, sums: _Sums) -> None:
        self.known, self.sums = known, sums
        _columns(self.w, self.of, self.of["across"], _BACKWARD_AT_ONCE[self.stride], self._inner, self._edge)

    def _pixel(self, at: Int, c: int, read: Callable[[int, int], Vector]) -> None:
        """The pixel `c` of a group of columns; `read` gives what row i of the filters meets, m columns before."""
        w, sums = self.w, self.sums.filters
        x = w.load(self.of["source"] + at) if sums else None
        total = w.splat(0)
        for i in self.met:
            for j in range(c, TAPS, self.stride):
                d = read(i, (j - c) // self.stride)
                if x is not None:
                    sums[i][j].set(d.times_plus(x, sums[i][j].get()))
                if self.known:
                    total = d.times_plus(self.known[i][j], total)
        if self.known:
            self.store(self.of["d_source"] + at, total)

    def _inner(self, column: Int, count: int) -> None:
        w, stride, seen = self.w, self.stride, dict[tuple[int, int], Vector]()
        start = self.place + (column * stride - self.of["left"]) * w.bytes
        for g in range(count):

            def read(i: int, m: int, g: int = g) -> Vector:
                if (i, g - m) not in seen:
                    seen[i, g - m] = w.load(self.met[i] + column * w.bytes + (g - m) * w.bytes)
                return seen[i, g - m]

            for c in range(stride):
                self._pixel(start + (g * stride + c) * w.bytes, c, read)

    def _edge(self, column: Int) -> None:
        w, of = self.w, self.of

        def read(i: int, m: int) -> Vector:
            inside = (column - m).inside(of["target_width"])
            return w.load(inside.select(self.met[i] + (column - m) * w.bytes, of["zeros"]))

        for c in range(self.stride):
            across = column * self.stride - of["left"] + c
            with w.when(across.inside(of["source_width"])):
                self._pixel(self.place + across * w.bytes, c, read)


def _sum_bias(w: Writer, of: dict[str, Int], gradient: Int, band: Int, total: Cell) -> None:
    """A band's share of the target's rows."""
    first = band * of["of_target"]
    with w.loop(first, (first + of["of_target"]).least(of["target_height"])) as row:
        start = gradient + row * of["target_row"]
        with w.loop(start, start + of["target_row"], w.bytes) as address:
            total.set(w.load(address) + total.get())


def write_add(w: Writer) -> None:
    """entry(table, thread, threads): the sums of all units of a block of channels, in their order."""
    table, thread, threads = w.function(3)
    of = ADD.read(w, table)
    of_unit = (TAPS * TAPS + 1) * w.bytes
    with w.loop(thread, of["blocks"], threads) as block:
        known = of["channels"] - block * w.width
        with w.loop(0, of["count"]) as number:
            total = Cell(w, w.splat(0))
            start, step = block * of["bands"], of["blocks"] * of["bands"]
            with w.loop(start, of["units"], step) as first, w.loop(first, first + of["bands"]) as unit:
                total.set(w.load(of["partial"] + unit * of_unit + number * w.bytes) + total.get())
            place = of["gradient"] + (block * of["count"] * w.width + number) * 4
            stride = of["count"] * 4
            w.scatter(place, stride, known, w.gather(place, stride, known) + total.get())
