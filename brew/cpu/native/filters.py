"""Code that transforms filters for Winograd's convolutions, and gradients of filters back.

Filters lie in any order, given by distances in bytes; transformed, as (elements of a tile, panels, channels, columns *
vector): for each element of the tiles the matrix that brew.cpu.native.products multiplies with.
"""

from __future__ import annotations

from collections.abc import Callable

from brew.cpu.llvm.slots import Slots
from brew.cpu.llvm.values import Int, Vector
from brew.cpu.llvm.writer import Writer

from .transforms import Matrix, apply_twice, transposed

SLOTS = Slots(
    "filters", "output", "input", "tap",  # address; distances between outputs, inputs and taps
    "transformed", "element", "panel",  # address; distances between elements of a tile, and between panels
    "outputs", "inputs", "rows",  # numbers of them, and of channels of a panel
    "unit", "units", "parts",  # rows in a unit of work; units; units of a block of outputs
)  # fmt: skip


def write_transformed(w: Writer, g: Matrix, columns: int) -> None:
    """entry(table, thread, threads): G w Gt of every filter. Rows and lanes beyond the last become 0."""
    side, taps = len(g), len(g[0])

    def work(of: dict[str, Int], block: Int, channel: Int, place: Int) -> None:
        known = (channel < of["inputs"]).select(of["outputs"] - block * w.width, 0)
        corner = of["filters"] + block * w.width * of["output"] + channel * of["input"]
        taken = [
            [w.gather(corner + of["tap"] * (i * taps + j), of["output"], known) for j in range(taps)]
            for i in range(taps)
        ]
        for i, row in enumerate(apply_twice(w, g, taken)):
            for j, value in enumerate(row):
                w.store(place + of["element"] * (i * side + j), value)

    _each(w, columns, work)


def write_gradient(w: Writer, g: Matrix, columns: int) -> None:
    """entry(table, thread, threads): add Gt u G of every transformed gradient to the filters' gradients."""
    side, taps = len(g), len(g[0])

    def work(of: dict[str, Int], block: Int, channel: Int, place: Int) -> None:
        tile: list[list[Vector]] = [
            [w.load(place + of["element"] * (i * side + j)) for j in range(side)] for i in range(side)
        ]
        known = (channel < of["inputs"]).select(of["outputs"] - block * w.width, 0)
        corner = of["filters"] + block * w.width * of["output"] + channel * of["input"]
        for i, row in enumerate(apply_twice(w, transposed(g), tile)):
            for j, value in enumerate(row):
                there = corner + of["tap"] * (i * taps + j)
                w.scatter(there, of["output"], known, w.gather(there, of["output"], known) + value)

    _each(w, columns, work)


def _each(w: Writer, columns: int, work: Callable[[dict[str, Int], Int, Int, Int], None]) -> None:
    """Go over blocks of outputs and channels of inputs, in units that threads take in turn."""
    table, thread, threads = w.function(3)
    of = SLOTS.read(w, table)
    with w.loop(thread, of["units"], threads) as unit:
        block, first = unit // of["parts"], unit % of["parts"] * of["unit"]
        panel = of["transformed"] + block // columns * of["panel"] + block % columns * w.bytes
        with w.loop(first, (first + of["unit"]).least(of["rows"])) as channel:
            work(of, block, channel, panel + channel * (columns * w.bytes))
