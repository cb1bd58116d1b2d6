"""Code of `resampling`: rows along their columns, a read for four neighbours of every lane; then columns."""

from __future__ import annotations

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Cell, Int, Mask, Vector

from .writer import Ints, PixelWriter

FOUR = 4  # bytes that a read fetches
ACROSS = Slots(
    "source", "source_plane", "source_row", "planes", "used", "lines", "columns", "starts", "weights", "groups",
    "shift", "buffer", "buffer_plane", "pitch",
)  # fmt: skip
DOWN = Slots(
    "buffer", "buffer_plane", "pitch", "planes", "rows", "columns", "places", "weights", "taps", "shift", "half",
    "last", "gain", "target", "target_plane", "target_row",
)  # fmt: skip


class Sum:
    """A vector that adds up, of whole numbers or of float32."""

    def __init__(self, w: PixelWriter, *, whole: bool) -> None:
        self._w, self._whole = w, whole
        self._cell = Cell(w, w.splat(0))  # of the same size

    def clear(self) -> None:
        self._cell.set(self._w.splat(0))

    def add(self, value: Ints | Vector) -> None:
        before = self.get()
        if isinstance(value, Ints):
            assert isinstance(before, Ints)
            self._cell.set(self._w.as_floats(before + value))
        else:
            assert isinstance(before, Vector)
            self._cell.set(before + value)

    def get(self) -> Ints | Vector:
        value: Vector = self._cell.get()
        return self._w.as_ints(value) if self._whole else value


def write_across(w: PixelWriter, *, whole: bool, pair: bool) -> None:
    """entry(table). `pair`: two taps alone, so that half of what a read fetches counts."""
    (table,) = w.function(1)
    of = ACROSS.read(w, table)
    total, shift = Sum(w, whole=whole), w.narrow(of["shift"])
    with w.loop(0, of["planes"]) as plane, w.loop(0, of["lines"]) as line:
        row = w.load_int(of["used"] + line * 8)
        source = of["source"] + plane * of["source_plane"] + row * of["source_row"]
        target = of["buffer"] + plane * of["buffer_plane"] + line * of["pitch"]
        with w.loop(0, of["columns"], w.width) as column:
            mask = w.mask(of["columns"] - column)
            starts = w.load_ints(of["starts"] + column * 4, mask)
            total.clear()

            def fetch(group: Int, starts: Ints, mask: Mask, source: Int, column: Int) -> None:
                fours = w.gather_fours(source + group * FOUR, starts, mask)
                for tap in range(2 if pair else FOUR):
                    at = of["weights"] + ((group * FOUR + tap) * of["columns"] + column) * 4
                    byte = w.byte_of(fours, tap)
                    total.add(byte * w.load_ints(at, mask) if whole else byte.floats() * w.load(at, mask))

            if pair:
                fetch(w.number(0), starts, mask, source, column)
            else:
                with w.loop(0, of["groups"]) as group:
                    fetch(group, starts, mask, source, column)
            value = total.get()
            if isinstance(value, Ints):
                w.store_ints(target + column * 4, value.shifted(shift), mask)
            else:
                w.store(target + column * 4, value, mask)


def write_down(w: PixelWriter, *, lines: bool, whole: bool) -> None:
    """entry(table). `lines`: whole numbers were stored; `whole`: so are the weights."""
    (table,) = w.function(1)
    of = DOWN.read(w, table)
    total = Sum(w, whole=whole)
    shift, half, last = (w.narrow(of[name]) for name in ("shift", "half", "last"))
    gain = w.broadcast(of["gain"])
    with w.loop(0, of["planes"]) as plane, w.loop(0, of["rows"]) as row:
        source = of["buffer"] + plane * of["buffer_plane"]
        target = of["target"] + plane * of["target_plane"] + row * of["target_row"]
        with w.loop(0, of["columns"], w.width) as column:
            mask = w.mask(of["columns"] - column)
            total.clear()
            with w.loop(0, of["taps"]) as tap:
                number = tap * of["rows"] + row
                at = source + w.load_int(of["places"] + number * 8) * of["pitch"] + column * 4
                weight = of["weights"] + number * 4
                if whole:
                    total.add((w.load_ints(at, mask) * w.broadcast_int(weight)).shifted(shift))
                else:
                    value = w.load_ints(at, mask).floats() if lines else w.load(at, mask)
                    total.add(value * w.broadcast(weight))
            sums = total.get()
            if isinstance(sums, Ints):
                pixels = (sums + half).shifted(last).within(0, 255)
            else:
                pixels = w.whole(w.least(w.most(w.rounded(sums * gain), 0.0), 255.0))
            w.store_pixels(target + column, pixels, mask)
