"""Code of convolutions on plain blobs (brew.cpu.native.planes): a vector holds neighbouring pixels of a channel's row.

Forward multiplies such a vector of the source with a filter's number in all lanes, for some outputs of the group and
some vectors of pixels at once; the gradient of the filters multiplies vectors of both blobs; lanes are added up last.
No lane meets another group's filters, however few channels a group has.

`places` are what a pixel of the target meets: for each channel of the group and each tap the distance to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Cell, Int, Mask, Vector
from brew.cpu.llvm.writer import Writer

_WRITTEN = 8  # turns over a row, at most, that the code writes one by one
COMMON = (
    "source", "source_image", "source_group", "source_plane", "source_row", "source_height", "source_width", "inputs",
    "scratch", "scratch_of_thread",
    "left", "filled", "share", "pitch", "copied_rows", "copied_plane", "lowest",  # copies: bytes, rows
    "step", "row_step",  # between what two rows of the target read: rows of the source, bytes
    "target", "target_image", "target_group", "target_plane", "target_row",
    "units", "bands", "band", "rows", "columns", "rest", "places", "place_table",
)  # fmt: skip
MULTIPLY = Slots(*COMMON, "groups", "outputs", "filters", "filters_group", "bias", "added", "slope")


@dataclass(frozen=True)
class Copies:
    """How rows of the source are copied: pixels apart that meet the same filter's number, `whole` turns of as many
    vectors, `ragged` with something left behind them, and whether zeros are needed before and behind a row."""

    stride: int
    whole: int
    ragged: bool
    before: bool
    behind: bool


@dataclass(frozen=True)
class Multiply:
    """The variant of the code: `outputs`, `down` rows and `across` vectors of a row at once, and how many may be left
    over; `last` vectors end a row, the very last with `ragged` only in part; how it ends.

    copies       of the source; None where it is read as it lies
    rows, taps   for one output from one input, `taps` to a row, which begins so many rows below the first
    """

    outputs: int
    down: int
    across: int
    outputs_over: int
    down_over: int
    last: int
    ragged: bool
    copies: Copies | None
    rows: tuple[int, ...]
    taps: int
    bias: bool
    added: bool
    relu: bool


def copied(w: Writer, of: dict[str, Int], mine: Int, source: Int, first: Int, how: Copies) -> None:
    """Copy the rows that a band reads, which begins at row `first`, of all channels of a group, with zeros around: with
    a stride of 2 the even pixels of a row, and behind them the odd ones."""
    zero, size, shares = w.splat(0), how.stride * w.width, range(how.stride)
    masks = [w.mask(of["source_width"] - how.whole * size - i * w.width) for i in shares]

    def cleared(start: Int, end: Int) -> None:
        with w.loop(start, end, w.bytes) as at:
            w.store(at, zero)

    def put(source: Int, there: Int, ends: Sequence[Mask | None]) -> None:
        values = [w.load(source + i * w.bytes, end) for i, end in enumerate(ends)]
        if how.stride == 2:
            values = [w.every_other(values[0], values[1], i) for i in shares]
        for i, value in enumerate(values):
            w.store(there + of["share"] * i, value)

    with w.loop(0, of["inputs"]) as channel, w.loop(0, of["copied_rows"]) as r:
        row, start = first * of["step"] + r + of["lowest"], mine + channel * of["copied_plane"] + r * of["pitch"]
        inside = row.inside(of["source_height"])
        cleared(start, inside.select(start, start + of["pitch"]))
        with w.when(inside):
            place, there = source + channel * of["source_plane"] + row * of["source_row"], start + of["left"]
            for i in shares if how.before else ():  # what is put too far behind a share is 0, as is what follows it
                cleared(start + of["share"] * i, there + of["share"] * i)
            if how.whole <= _WRITTEN:
                for number in range(how.whole):
                    put(place + number * size * 4, there + number * w.bytes, [None] * how.stride)
            else:
                with w.loop(0, how.whole) as turn:
                    put(place + turn * (size * 4), there + turn * w.bytes, [None] * how.stride)
            if how.ragged:
                put(place + how.whole * size * 4, there + how.whole * w.bytes, masks)
            for i in shares if how.behind else ():
                cleared(start + of["share"] * i + of["filled"], start + of["share"] * (i + 1))
    cleared(mine + of["inputs"] * of["copied_plane"], mine + of["inputs"] * of["copied_plane"] + 2 * w.bytes)


# --- forward, and the gradient of the source --------------------------------------------------------------------------


def write_multiply(w: Writer, how: Multiply) -> None:
    """entry(table, thread, threads): units are a band of rows of a group of an image."""
    table, thread, threads = w.function(3)
    of = MULTIPLY.read(w, table)
    mine = of["scratch"] + thread * of["scratch_of_thread"]
    with w.share(of["units"], thread, threads) as unit:
        first, rest = unit % of["bands"] * of["band"], unit // of["bands"]
        group, image = rest % of["groups"], rest // of["groups"]
        source = of["source"] + image * of["source_image"] + group * of["source_group"]
        if how.copies is not None:
            copied(w, of, mine, source, first, how.copies)
        distance = image * of["target_image"] + group * of["target_group"]
        base = source + first * of["pitch"] if how.copies is None else mine
        _Band(w, of, how, base, group, distance).write(first)


class _Band:
    """Rows of a group of an image: their source is at `base`, their target `distance` bytes from its blob's begin."""

    def __init__(self, w: Writer, of: dict[str, Int], how: Multiply, base: Int, group: Int, distance: Int) -> None:
        self.w, self.of, self.how, self.base, self.distance = w, of, how, base, distance
        self.filters = of["filters"] + group * of["filters_group"]
        self.bias = of["bias"] + group * of["outputs"] * 4
        self.end = w.mask(of["rest"]) if how.ragged else None
        self.slope = w.broadcast(of["slope"]) if how.relu else None

    def write(self, first: Int) -> None:
        w, of, how = self.w, self.of, self.how
        count = (of["rows"] - first).least(of["band"])
        whole = count // how.down * how.down
        with w.loop(0, whole, how.down) as row:
            self._rows(row, first, how.down)
        if how.down_over:
            with w.when((count - whole).equals(how.down_over)):
                self._rows(whole, first, how.down_over)

    def _rows(self, row: Int, first: Int, down: int) -> None:
        w, of, how = self.w, self.of, self.how
        base, there = self.base + row * of["row_step"], self.distance + (first + row) * of["target_row"]
        last = of["columns"] - how.last
        with w.loop(0, last, how.across) as column:
            self._outputs(base + column * w.bytes, there + column * w.bytes, down, how.across, None)
        if how.last:
            self._outputs(base + last * w.bytes, there + last * w.bytes, down, how.last, self.end)

    def _outputs(self, base: Int, there: Int, down: int, across: int, end: Mask | None) -> None:
        w, of, how = self.w, self.of, self.how
        whole = of["outputs"] - how.outputs_over
        with w.loop(0, whole, how.outputs) as output:
            self._tile(base, there, (down, across, how.outputs), output, end)
        if how.outputs_over:
            self._tile(base, there, (down, across, how.outputs_over), whole, end)

    def _tile(self, base: Int, there: Int, sizes: tuple[int, int, int], output: Int, end: Mask | None) -> None:
        """For `down` rows of `across` vectors the outputs from `output` on."""
        w, of, how = self.w, self.of, self.how
        down, across, outputs = sizes
        starts = [w.broadcast(self.bias + (output * 4 + o * 4)) if how.bias else w.splat(0) for o in range(outputs)]
        sums = [[[Cell(w, start) for _ in range(across)] for _ in range(down)] for start in starts]
        if how.rows:
            self._add_alone(sums[0], base, end)
        else:
            self._add(sums, base, output, end)
        for o, of_output in enumerate(sums):
            for r, cells in enumerate(of_output):
                place = there + (output + o) * of["target_plane"] + of["target_row"] * r
                for c, cell in enumerate(cells):
                    self._put(place + c * w.bytes, cell.get(), end if c == across - 1 else None)

    def _add(self, sums: Sequence[Sequence[Sequence[Cell]]], base: Int, output: Int, end: Mask | None) -> None:
        """To the sums of each output, row and vector."""
        w, of = self.w, self.of
        at = Cell(w, self.filters + output * of["places"] * 4)
        rows = [base + of["row_step"] * r for r in range(len(sums[0]))]
        across = len(sums[0][0])
        with w.loop(of["place_table"], of["place_table"] + of["places"] * 8, 8) as number:
            distance, factors = w.load_int(number), at.get()
            values = [
                [w.load(row + distance + c * w.bytes, self._mask(end, c, across)) for c in range(across)]
                for row in rows
            ]
            for o, of_output in enumerate(sums):
                factor = w.broadcast(factors + 4 * o)
                for cells, line in zip(of_output, values, strict=True):
                    for cell, value in zip(cells, line, strict=True):
                        cell.set(value.times_plus(factor, cell.get()))
            at.set(factors + 4 * len(sums))

    def _add_alone(self, sums: Sequence[Sequence[Cell]], base: Int, end: Mask | None) -> None:
        """The same for one output from one input: what a row of the source has is loaded once for all rows that meet
        it."""
        w, of, how = self.w, self.of, self.how
        first, across, stride = how.rows.index(0) * how.taps, len(sums[0]), how.copies.stride if how.copies else 1
        met: dict[int, list[tuple[int, int]]] = {}
        for r, (y, offset) in product(range(len(sums)), enumerate(how.rows)):
            met.setdefault(r * stride + offset, []).append((r, y))
        for tap in range(how.taps):
            start = base + w.load_int(of["place_table"] + (first + tap) * 8)
            factors = [w.broadcast(self.filters + (y * how.taps + tap) * 4) for y in range(len(how.rows))]
            for row, pairs in sorted(met.items()):
                values = [
                    w.load(start + of["pitch"] * row + c * w.bytes, self._mask(end, c, across)) for c in range(across)
                ]
                for (r, y), (c, value) in product(pairs, enumerate(values)):
                    sums[r][c].set(value.times_plus(factors[y], sums[r][c].get()))

    def _mask(self, end: Mask | None, column: int, across: int) -> Mask | None:
        """Copies have room behind a row's end, the source itself may end there."""
        return None if self.how.copies or column < across - 1 else end

    def _put(self, distance: Int, value: Vector, mask: Mask | None) -> None:
        if self.how.added:
            value = value + self.w.load(self.of["added"] + distance, mask)
        if self.slope is not None:
            value = value.rectified(self.slope)
        self.w.store(self.of["target"] + distance, value, mask)
