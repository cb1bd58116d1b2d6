"""Code of the gradient of the filters of convolutions on plain blobs (brew.cpu.native.planes)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Cell, Int, Mask
from brew.cpu.llvm.writer import Writer

from .planes_code import COMMON, Copies, copied

SUM = Slots(*COMMON, "images", "parts", "of_part", "outputs", "sums", "partial", "partial_part", "partial_bias")


@dataclass(frozen=True)
class Sum:
    """The variant of the code: `outputs` and `places` at once, and how many of each are left over; vectors of a row, 0
    for many, the last with `ragged` only in part; which gradients. `copies` is None
    where the source is read as it lies."""

    outputs: int
    places: int
    across: int
    outputs_over: int
    places_over: int
    ragged: bool
    copies: Copies | None
    filters: bool
    bias: bool


def write_sum(w: Writer, how: Sum) -> None:
    """entry(table, thread, threads): units are a group of a part of the images; each sums by itself."""
    table, thread, threads = w.function(3)
    of = SUM.read(w, table)
    mine = of["scratch"] + thread * of["scratch_of_thread"]
    sums = mine + of["sums"]
    end, count = w.mask(of["rest"]) if how.ragged else None, of["outputs"] * of["places"]
    biases = sums + count * w.bytes
    with w.share(of["units"], thread, threads) as unit:
        group, part = unit // of["parts"], unit % of["parts"]
        with w.loop(sums, biases + of["outputs"] * w.bytes, w.bytes) as at:
            w.store(at, w.splat(0))
        begin = part * of["of_part"]
        with w.loop(begin, (begin + of["of_part"]).least(of["images"])) as image, w.loop(0, of["bands"]) as band:
            first = band * of["band"]
            source = of["source"] + image * of["source_image"] + group * of["source_group"]
            if how.copies is not None and how.filters:
                copied(w, of, mine, source, first, how.copies)
            target = of["target"] + image * of["target_image"] + group * of["target_group"] + first * of["target_row"]
            rows = (of["rows"] - first).least(of["band"])
            base = source + first * of["pitch"] if how.copies is None else mine
            summed = _Summed(w, of, how, base, target, rows, end)
            if how.filters:
                summed.filters(sums)
            if how.bias:
                summed.biases(biases)
        partial = of["partial"] + part * of["partial_part"]
        if how.filters:
            _lanes(w, sums, count, partial + group * count * 4)
        if how.bias:
            _lanes(w, biases, of["outputs"], partial + of["partial_bias"] + group * of["outputs"] * 4)


def _lanes(w: Writer, sums: Int, count: Int, partial: Int) -> None:
    """Add up the lanes of `count` vectors, each into a number of `partial`."""
    with w.loop(0, count) as number:
        w.store_total(partial + number * 4, w.load(sums + number * w.bytes))


class _Summed:
    """The rows of a band: of the source at `base`, of the gradient of the target at `target`."""

    def __init__(
        self, w: Writer, of: dict[str, Int], how: Sum, base: Int, target: Int, rows: Int, end: Mask | None
    ) -> None:
        self.w, self.of, self.how, self.base, self.target, self.rows, self.end = w, of, how, base, target, rows, end

    def filters(self, sums: Int) -> None:
        """Add to `sums`, a vector for each output and place."""
        w, of, how = self.w, self.of, self.how

        def over_places(output: Int, outputs: int) -> None:
            whole = of["places"] - how.places_over
            with w.loop(0, whole, how.places) as place:
                self._tile(sums, output, outputs, place, how.places)
            if how.places_over:
                self._tile(sums, output, outputs, whole, how.places_over)

        whole = of["outputs"] - how.outputs_over
        with w.loop(0, whole, how.outputs) as output:
            over_places(output, how.outputs)
        if how.outputs_over:
            over_places(whole, how.outputs_over)

    def _tile(self, sums: Int, output: Int, outputs: int, place: Int, places: int) -> None:
        w, of = self.w, self.of
        sources = [self.base + w.load_int(of["place_table"] + (place + p) * 8) for p in range(places)]
        targets = [self.target + (output + o) * of["target_plane"] for o in range(outputs)]
        ats = [sums + ((output + o) * of["places"] + place) * w.bytes for o in range(outputs)]
        cells = [[Cell(w, w.load(at + p * w.bytes)) for p in range(places)] for at in ats]

        def add(source_at: Int, target_at: Int, end: Mask | None) -> None:
            gradients = [w.load(target + target_at, end) for target in targets]
            for p, source in enumerate(sources):
                value = w.load(source + source_at, None if self.how.copies else end)
                for of_output, gradient in zip(cells, gradients, strict=True):
                    of_output[p].set(value.times_plus(gradient, of_output[p].get()))

        self._each_vector(add)
        for at, of_output in zip(ats, cells, strict=True):
            for p, cell in enumerate(of_output):
                w.store(at + p * w.bytes, cell.get())

    def biases(self, sums: Int) -> None:
        """Add to `sums`, a vector for each output."""
        w, of = self.w, self.of
        with w.loop(0, of["outputs"]) as output:
            at = sums + output * w.bytes
            total, target = Cell(w, w.load(at)), self.target + output * of["target_plane"]

            def add(_: Int, target_at: Int, end: Mask | None) -> None:
                total.set(total.get() + w.load(target + target_at, end))

            self._each_vector(add)
            w.store(at, total.get())

    def _each_vector(self, add: Callable[[Int, Int, Mask | None], None]) -> None:
        """Of each row, by its distances in source and target, the whole vectors and what is left behind them."""
        w, of, how = self.w, self.of, self.how
        source, target = Cell(w, w.number(0)), Cell(w, w.number(0))
        with w.loop(0, self.rows):
            s, t = source.get(), target.get()
            for number in range(how.across):
                add(s + number * w.bytes, t + number * w.bytes, self.end if number == how.across - 1 else None)
            if not how.across:
                whole = (of["columns"] - int(how.ragged)) * w.bytes
                with w.loop(0, whole, w.bytes) as column:
                    add(s + column, t + column, None)
                if self.end is not None:
                    add(s + whole, t + whole, self.end)
            source.set(s + of["row_step"])
            target.set(t + of["target_row"])
