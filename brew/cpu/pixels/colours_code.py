"""Code of `colours`: a row of an image lies in three rows of float32 while all stages go over it."""

from __future__ import annotations

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Int, Vector

from .writer import PixelWriter

SCALED, MIXED, TURNED = range(3)
NUMBERS = 12  # room for a stage's numbers
COLOURS = Slots(
    "source", "source_plane", "source_row", "target0", "target1", "target2", "target_row", "rows", "columns", "floats",
    "wide", "stages", "kinds", "numbers",
)  # fmt: skip


def write_colours(w: PixelWriter, step: int) -> None:
    """entry(table): `step` bytes from a pixel to its neighbour; where that is more than 1, three channels and perhaps
    more lie side by side, and rows have at least as many pixels as lanes."""
    (table,) = w.function(1)
    of = COLOURS.read(w, table)
    plane = of["wide"] * 4
    with w.loop(0, of["rows"]) as row:
        source = of["source"] + row * of["source_row"]
        (_read_planes if step == 1 else _read_mixed)(w, of, source, step)
        with w.loop(0, of["stages"]) as stage:
            kind, numbers = w.load_int(of["kinds"] + stage * 8), of["numbers"] + stage * (4 * NUMBERS)
            for number, write in ((SCALED, _scaled), (MIXED, _mixed), (TURNED, _turned)):
                with w.when(kind.equals(number)), w.loop(0, of["columns"], w.width) as column:
                    place = of["floats"] + column * 4
                    planes = [w.load(place + plane * c) for c in range(3)]
                    for c, value in enumerate(write(w, numbers, planes)):
                        w.store(place + plane * c, value)
        with w.loop(0, of["columns"], w.width) as column:
            mask, place = w.mask(of["columns"] - column), of["floats"] + column * 4
            for c in range(3):
                at = of[f"target{c}"] + row * of["target_row"] + column
                w.store_pixels(at, w.whole(w.rounded(w.load(place + plane * c))), mask)


def _read_planes(w: PixelWriter, of: dict[str, Int], source: Int, _step: int) -> None:
    """A row of three planes into the floats."""
    with w.loop(0, of["columns"], w.width) as column:
        mask, place = w.mask(of["columns"] - column), of["floats"] + column * 4
        for c in range(3):
            pixels = w.load_pixels(source + of["source_plane"] * c + column, mask)
            w.store(place + of["wide"] * (4 * c), pixels)


def _read_mixed(w: PixelWriter, of: dict[str, Int], source: Int, step: int) -> None:
    """A row with its channels side by side; the last vector begins before the end of the one in front of it."""

    def read(column: Int) -> None:
        pixels = w.load_bytes(source + column * step, step * w.width)
        for c in range(3):
            w.store(of["floats"] + of["wide"] * (4 * c) + column * 4, pixels.floats(c, step))

    last = of["columns"] - w.width
    with w.loop(0, last, w.width) as column:
        read(column)
    read(last)


def _clipped(w: PixelWriter, value: Vector) -> Vector:
    return w.least(w.most(value, 0.0), 255.0)


def _scaled(w: PixelWriter, numbers: Int, planes: list[Vector]) -> list[Vector]:
    factors = [w.broadcast(numbers + 4 * c) for c in range(3)]
    summands = [w.broadcast(numbers + 4 * (3 + c)) for c in range(3)]
    return [_clipped(w, x * a + b) for x, a, b in zip(planes, factors, summands, strict=True)]


def _mixed(w: PixelWriter, numbers: Int, planes: list[Vector]) -> list[Vector]:
    result = []
    for i in range(3):
        weights = [w.broadcast(numbers + 4 * (3 * i + j)) for j in range(3)]
        total = planes[0] * weights[0] + planes[1] * weights[1] + planes[2] * weights[2]
        result.append(_clipped(w, total + w.broadcast(numbers + 4 * (9 + i))))
    return result


def _turned(w: PixelWriter, numbers: Int, planes: list[Vector]) -> list[Vector]:
    blue, green, red = planes
    value = w.most(w.most(blue, green), red)
    chroma = value - w.least(w.least(blue, green), red)
    share = w.splat(1.0) / w.where("ogt", chroma, 0.0, chroma, 1.0)
    hue = w.where("oeq", value, green, (blue - red) * share + 2.0, (red - green) * share + 4.0)
    hue = w.where("oeq", value, red, (green - blue) * share, hue) + w.broadcast(numbers)
    hue = w.where("olt", hue, 0.0, hue + 6.0, hue)
    hue = w.where("oge", hue, 6.0, hue - 6.0, hue)
    chroma = w.least(chroma * w.broadcast(numbers + 4), value)
    result = []
    for turn in (1.0, 3.0, 5.0):
        at = hue + turn
        at = w.where("oge", at, 6.0, at - 6.0, at)
        at = w.least(w.least(at, w.splat(4.0) - at), 1.0)
        result.append(value - chroma * w.most(at, 0.0))
    return result
