"""Code of direct convolutions on blobs in blocks of channels (brew.cpu.native.grouped).

A vector holds a pixel of a block of the target's channels. For each of its taps and each channel of the source that
any of its lanes needs, a number of the source, in all lanes, is multiplied with a vector of filters, which has zeros
for lanes of other groups. Where every channel has a filter of its own, a vector of the source is multiplied instead.

Where filters reach beyond the source, the rows that a unit of work reads are copied first, with zeros around them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Cell, Int, Vector
from brew.cpu.llvm.writer import Writer

_SOURCE = (
    "source", "source_image", "source_block", "source_row", "source_height", "source_width",
    "scratch", "scratch_of_thread", "left", "pitch", "copied_rows", "copied_block",  # copies: address, pixels, bytes
    "band", "lowest", "row_step", "step",  # rows of a band; its first row of the source; between two rows: bytes, rows
)  # fmt: skip
_TARGET = ("target", "target_image", "target_block", "target_row")
MULTIPLY = Slots(
    *_SOURCE, *_TARGET, "units", "bands", "clusters", "classes",  # numbers
    "cluster_table", "panel_table", "class_table", "tap_table", "segment_table",  # addresses
    "filters", "out_step", "bias", "channels", "added", "slope",
)  # fmt: skip
OUTER = Slots(
    *_SOURCE, *_TARGET, "units", "panels", "images", "of_part", "bands", "rows", "columns", "taps",
    "panel_table", "tap_table", "piece_table", "partial", "part_bytes",
)  # fmt: skip
PACK = Slots(
    "entries", "entry_table", "taps", "tap_table", "packed", "step", "plain", "lane", "channel", "parts", "part_bytes"
)

CLUSTER, PANEL, CLASS, OUTER_PANEL, ENTRY = 4, 4, 5, 6, 6  # numbers in a row of a table


@dataclass(frozen=True)
class Multiply:
    """The variant of the code: `at_once` pixels of a row, and `tails`, how many may be left over; blocks of a panel,
    channels in a turn of the inner loop, pixels from one to the next in source and target, and how it ends."""

    at_once: int
    tails: tuple[int, ...]
    columns: int
    unrolled: int
    depthwise: bool
    across: int
    out_across: int
    copies: bool
    bias: bool
    added: bool
    relu: bool
    streams: bool


@dataclass(frozen=True)
class Outer:
    """The variant of the code: `taps` and `lanes` of the source at once, times `columns` blocks of the target."""

    taps: int
    lanes: int
    columns: int
    depthwise: bool
    across: int
    copies: bool


def _row(w: Writer, table: Int, number: Int, size: int) -> list[Int]:
    place = table + number * (8 * size)
    return [w.load_int(place + 8 * i) for i in range(size)]


def _band(w: Writer, of: dict[str, Int], mine: Int, place: Int, blocks: Int, first: Int, *, copies: bool) -> Int:
    """The address of the first row, tap and block that a band reads, which begins at row `first`; `place` is the
    source's."""
    top = first * of["step"] + of["lowest"]
    if not copies:
        return place + top * of["source_row"]
    zero, left = w.splat(0), of["left"] * w.bytes
    with w.loop(0, blocks) as block, w.loop(0, of["copied_rows"]) as r:
        row, start = top + r, mine + block * of["copied_block"] + r * of["pitch"]
        inside = row.inside(of["source_height"])
        begin = start + left
        end = inside.select(begin + of["source_width"] * w.bytes, begin)
        with w.loop(start, begin, w.bytes) as at:
            w.store(at, zero)
        distance = place + block * of["source_block"] + row * of["source_row"] - begin
        with w.loop(begin, end, w.bytes) as at:
            w.store(at, w.load(at + distance))
        with w.loop(end, start + of["pitch"], w.bytes) as at:
            w.store(at, zero)
    return mine


# --- forward, and the gradient of the source --------------------------------------------------------------------------


def write_multiply(w: Writer, how: Multiply) -> None:
    """entry(table, thread, threads): units are a band of rows of a cluster of panels of an image."""
    table, thread, threads = w.function(3)
    of = MULTIPLY.read(w, table)
    mine = of["scratch"] + thread * of["scratch_of_thread"]
    with w.share(of["units"], thread, threads) as unit:
        first, rest = unit % of["bands"] * of["band"], unit // of["bands"]
        image = rest // of["clusters"]
        panel, last, first_block, blocks = _row(w, of["cluster_table"], rest % of["clusters"], CLUSTER)
        place = of["source"] + image * of["source_image"] + first_block * of["source_block"]
        base = _band(w, of, mine, place, blocks, first, copies=how.copies)
        with w.loop(panel, last) as number:
            _Panel(w, of, how, number, image).write(base, first)
    if how.streams:
        w.fence()


class _Panel:
    """The rows of a band that are in `columns` blocks of an image's target."""

    def __init__(self, w: Writer, of: dict[str, Int], how: Multiply, number: Int, image: Int) -> None:
        self.w, self.of, self.how = w, of, how
        filters, self.segment, self.last_segment, self.tap_bytes = _row(w, of["panel_table"], number, PANEL)
        self.filters = of["filters"] + filters
        self.distance = image * of["target_image"] + number * how.columns * of["target_block"]
        blocks = [number * how.columns + j for j in range(how.columns)]
        self.bias = [
            w.gather(of["bias"] + b * w.bytes, w.number(4), of["channels"] - b * w.width) if how.bias else w.splat(0)
            for b in blocks
        ]
        self.slope = w.broadcast(of["slope"]) if how.relu else None

    def write(self, base: Int, first: Int) -> None:
        """Of each class of pixels the rows from `first` on."""
        w, of = self.w, self.of
        if self.how.depthwise:
            base = base + w.load_int(self.segment)
        with w.loop(0, of["classes"]) as number:
            tap, last_tap, out, rows, columns = _row(w, of["class_table"], number, CLASS)
            filters, taps = self.filters + tap * self.tap_bytes, of["tap_table"]
            self.taps = (taps + tap * 8, taps + last_tap * 8, filters)
            with w.loop(first, (first + of["band"]).least(rows)) as row:
                there = self.distance + out + row * of["out_step"]
                self._columns(base + (row - first) * of["row_step"], there, columns)

    def _columns(self, source: Int, there: Int, columns: Int) -> None:
        w, how = self.w, self.how
        whole = columns // how.at_once * how.at_once
        with w.loop(0, whole, how.at_once) as column:
            self._tile(source, there, column, how.at_once)
        for tail in how.tails:
            with w.when((columns - whole).equals(tail)):
                self._tile(source, there, whole, tail)

    def _tile(self, source: Int, there: Int, column: Int, count: int) -> None:
        w, how = self.w, self.how
        sums = [[Cell(w, bias) for bias in self.bias] for _ in range(count)]
        tap, last, filters = self.taps
        at = Cell(w, filters)
        place = source + column * (how.across * w.bytes)
        with w.loop(tap, last, 8) as number:
            here = place + w.load_int(number)
            if how.depthwise:
                self._by_vectors(here, at, sums)
            else:
                with w.loop(self.segment, self.last_segment, 16) as segment:
                    begin = here + w.load_int(segment)
                    with w.loop(begin, begin + w.load_int(segment + 8), 4 * how.unrolled) as channel:
                        self._by_numbers(channel, at, sums)
        out = there + column * (how.out_across * w.bytes)
        for r, row in enumerate(sums):
            for j, cell in enumerate(row):
                self._put(out + r * (how.out_across * w.bytes) + self.of["target_block"] * j, cell.get())

    def _by_vectors(self, here: Int, at: Cell, sums: Sequence[Sequence[Cell]]) -> None:
        w, step = self.w, self.how.across * self.w.bytes
        factor = w.load(at.get())
        for r, [cell] in enumerate(sums):
            cell.set(w.load(here + r * step).times_plus(factor, cell.get()))
        at.set(at.get() + w.bytes)

    def _by_numbers(self, channel: Int, at: Cell, sums: Sequence[Sequence[Cell]]) -> None:
        w, how = self.w, self.how
        there: Int = at.get()
        for u in range(how.unrolled):
            factors = [w.load(there + (u * how.columns + j) * w.bytes) for j in range(how.columns)]
            for r, row in enumerate(sums):
                value = w.broadcast(channel + (r * how.across * w.bytes + 4 * u))
                for cell, factor in zip(row, factors, strict=True):
                    cell.set(value.times_plus(factor, cell.get()))
        at.set(there + how.unrolled * how.columns * w.bytes)

    def _put(self, distance: Int, value: Vector) -> None:
        if self.how.added:
            value = value + self.w.load(self.of["added"] + distance)
        if self.slope is not None:
            value = value.rectified(self.slope)
        (self.w.stream if self.how.streams else self.w.store)(self.of["target"] + distance, value)


# --- the gradient of the filters --------------------------------------------------------------------------------------


def write_outer(w: Writer, how: Outer) -> None:
    """entry(table, thread, threads): units are a panel of a part of the images; each sums by itself."""
    table, thread, threads = w.function(3)
    of = OUTER.read(w, table)
    mine = of["scratch"] + thread * of["scratch_of_thread"]
    with w.share(of["units"], thread, threads) as unit:
        number, part = unit % of["panels"], unit // of["panels"]
        offset, size, first_block, blocks, piece, pieces = _row(w, of["panel_table"], number, OUTER_PANEL)
        partial = of["partial"] + part * of["part_bytes"] + offset
        with w.loop(partial, partial + size, w.bytes) as at:
            w.store(at, w.splat(0))
        first = part * of["of_part"]
        with w.loop(first, (first + of["of_part"]).least(of["images"])) as image, w.loop(0, of["bands"]) as band:
            row = band * of["band"]
            place = of["source"] + image * of["source_image"] + first_block * of["source_block"]
            base = _band(w, of, mine, place, blocks, row, copies=how.copies)
            target = of["target"] + image * of["target_image"] + number * how.columns * of["target_block"]
            rows = (of["rows"] - row).least(of["band"])
            table_of = of["piece_table"] + piece * 8
            _outer(w, of, how, partial, (table_of, pieces), base, target + row * of["target_row"], rows)


def _outer(
    w: Writer, of: dict[str, Int], how: Outer, partial: Int, listed: tuple[Int, Int], base: Int, target: Int, rows: Int
) -> None:
    """Add a band's products to `partial`: (taps, pieces, lanes, columns)."""
    piece_table, pieces = listed
    piece_bytes = how.lanes * how.columns * w.bytes
    with w.loop(0, of["taps"], how.taps) as tap:
        offsets = [w.load_int(of["tap_table"] + (tap + t) * 8) for t in range(how.taps)]
        with w.loop(0, pieces) as piece:
            start = base + w.load_int(piece_table + piece * 8)
            places = [partial + ((tap + t) * pieces + piece) * piece_bytes for t in range(how.taps)]
            sums = [
                [[Cell(w, w.load(place + (n * how.columns + j) * w.bytes)) for j in range(how.columns)]
                 for n in range(how.lanes)] for place in places
            ]  # fmt: skip
            with w.loop(0, rows) as row:
                here, there = start + row * of["row_step"], target + row * of["target_row"]
                sources = [here + offset for offset in offsets]
                with w.loop(0, of["columns"] * w.bytes, w.bytes) as column:
                    gradients = [w.load(there + column + of["target_block"] * j) for j in range(how.columns)]
                    for source, of_tap in zip(sources, sums, strict=True):
                        _add_products(w, how, source + column * how.across, gradients, of_tap)
            for place, of_tap in zip(places, sums, strict=True):
                for n, cells in enumerate(of_tap):
                    for j, cell in enumerate(cells):
                        w.store(place + (n * how.columns + j) * w.bytes, cell.get())


def _add_products(
    w: Writer, how: Outer, place: Int, gradients: Sequence[Vector], sums: Sequence[Sequence[Cell]]
) -> None:
    for n, cells in enumerate(sums):
        value = w.load(place) if how.depthwise else w.broadcast(place + 4 * n)
        for cell, gradient in zip(cells, gradients, strict=True):
            cell.set(value.times_plus(gradient, cell.get()))


# --- filters ----------------------------------------------------------------------------------------------------------


def write_packed(w: Writer) -> None:
    """entry(table, thread, threads): bring filters into the order in which panels read them."""
    _each_vector(w, lambda of, packed, plain, first, end: w.store(packed, w.gather(plain, of["lane"], end, first)))


def write_added(w: Writer) -> None:
    """entry(table, thread, threads): add what all parts have summed, in their order, to the gradient of the filters."""

    def add(of: dict[str, Int], packed: Int, plain: Int, first: Int, end: Int) -> None:
        total = Cell(w, w.splat(0))
        with w.loop(packed, packed + of["parts"] * of["part_bytes"], of["part_bytes"]) as place:
            total.set(total.get() + w.load(place))
        value = w.gather(plain, of["lane"], end, first) + total.get()
        w.scatter(plain, of["lane"], end, value, first)

    _each_vector(w, add)


def _each_vector(w: Writer, work: Callable[[dict[str, Int], Int, Int, Int, Int], None]) -> None:
    """Over entries: a block of a panel's lanes and the channels of a group, of which lanes `first` to `end` are."""
    table, thread, threads = w.function(3)
    of = PACK.read(w, table)
    with w.share(of["entries"], thread, threads) as number:
        packed, plain, first, end, channels, tap_bytes = _row(w, of["entry_table"], number, ENTRY)
        with w.loop(0, of["taps"]) as tap:
            here = of["packed"] + packed + tap * tap_bytes
            there = of["plain"] + plain + w.load_int(of["tap_table"] + tap * 8)
            with w.loop(0, channels) as channel:
                work(of, here + channel * of["step"], there + channel * of["channel"], first, end)
