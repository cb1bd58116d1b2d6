"""Code of `warping`: a vector holds neighbouring pixels of a row of the result."""

from __future__ import annotations

from brew.cpu.llvm.slots import Slots

from .writer import PixelWriter

WARP = Slots(
    "source", "source_plane", "source_row", "planes", "rows", "columns", "starts", "numbers", "target", "target_plane",
    "target_row",
)  # fmt: skip


def write_warp(w: PixelWriter) -> None:
    """entry(table)"""
    (table,) = w.function(1)
    of = WARP.read(w, table)
    across, along, left, right, top, bottom = (w.broadcast(of["numbers"] + 4 * i) for i in range(6))
    pitch = w.narrow(of["source_row"])
    with w.loop(0, of["rows"]) as row:
        start_x = w.broadcast(of["starts"] + row * 4)
        start_y = w.broadcast(of["starts"] + (of["rows"] + row) * 4)
        with w.loop(0, of["columns"], w.width) as column:
            mask = w.mask(of["columns"] - column)
            number = w.spread(column) + w.ramp()
            x = w.least(w.most(number * across + start_x, left), right)
            y = w.least(w.most(number * along + start_y, top), bottom)
            x0, y0 = w.floor(x), w.floor(y)
            x, y = x - x0, y - y0
            places = (w.whole(y0) + 1) * pitch + w.whole(x0) + 1
            with w.loop(0, of["planes"]) as plane:
                source = of["source"] + plane * of["source_plane"]
                lines = []
                for line in range(2):
                    fours = w.gather_fours(source + of["source_row"] * line, places, mask)
                    a, b = (w.byte_of(fours, i).floats() for i in range(2))
                    lines.append(a + (b - a) * x)
                value = w.whole(w.rounded(lines[0] + (lines[1] - lines[0]) * y))
                at = of["target"] + plane * of["target_plane"] + row * of["target_row"] + column
                w.store_pixels(at, value, mask)
