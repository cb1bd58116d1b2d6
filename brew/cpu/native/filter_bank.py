"""Banks of filters as Winograd's products want them, and the code that transforms filters and gradients back.

Filters lie in any order, given by distances in bytes; transformed, as (elements of a tile, panels, channels, columns *
vector): for each element of the tiles the matrix that brew.cpu.native.products multiplies with.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from brew.cpu.llvm.compiler import function
from brew.cpu.llvm.slots import Slots, Table
from brew.cpu.llvm.team import bound
from brew.cpu.llvm.values import Int, Vector
from brew.cpu.llvm.writer import Writer
from brew.layer import Array

from .blocked import spread, up, width
from .transforms import Matrix, Scheme, apply_twice, transposed

Call: TypeAlias = Callable[[], None]

STEP = 4  # channels are multiplied in fours
_UNIT = 64  # channels in a unit of work

SLOTS = Slots(
    "filters", "output", "input", "tap",  # address; distances between outputs, inputs and taps
    "transformed", "element", "panel",  # address; distances between elements of a tile, and between panels
    "outputs", "inputs", "rows",  # numbers of them, and of channels of a panel
    "unit", "units", "parts",  # rows in a unit of work; units; units of a block of outputs
)  # fmt: skip


class FilterBank:
    """Transformed filters: how they lie, and calls that transform them, or their gradient back.

    `outputs` and `inputs` are those of a group.
    """

    def __init__(self, scheme: Scheme, outputs: int, inputs: int, group: int, *, step: int = STEP) -> None:
        self.scheme, self.outputs, self.inputs, self.group = scheme, outputs, inputs, group
        blocks = -(-outputs // width())
        self.columns = 1 if blocks == 1 else 3 if blocks % 2 and blocks % 3 == 0 else 2
        self.panels = -(-blocks // self.columns)
        self.rows = up(inputs, step)
        self.panel = self.rows * self.columns * width() * 4
        self.element = spread(self.panel * self.panels)

    @property
    def size(self) -> int:
        """float32 of them all."""
        return self.scheme.elements * self.element // 4 * self.group

    def _table(self, array: Array, transformed: Array, group: int, *, swapped: bool, turned: bool) -> Table:
        """`array` is (outputs, inputs, taps, taps) over all groups; `swapped` (inputs, outputs, ...), and with `turned`
        the taps are taken from the last, too."""
        area = self.scheme.taps**2
        first, second = (4 * area, 4 * area * self.outputs) if swapped else (4 * area * self.inputs, 4 * area)
        start = array.ctypes.data + group * self.outputs * self.inputs * area * 4 + (4 * (area - 1) if turned else 0)
        parts = -(-self.rows // _UNIT)
        return SLOTS.table({
            "filters": start, "output": first, "input": second, "tap": -4 if turned else 4,
            "transformed": transformed.ctypes.data + group * self.scheme.elements * self.element,
            "element": self.element,
            "panel": self.panel, "outputs": self.outputs, "inputs": self.inputs, "rows": self.rows,
            "unit": _UNIT, "parts": parts, "units": parts * self.panels * self.columns,
        })  # fmt: skip

    def _calls(self, write: Any, array: Array, transformed: Array, *, swapped: bool, turned: bool) -> list[Call]:
        name = f"{write.__name__} {self.scheme.name} {self.columns}"
        code = function(name, partial(write, g=self.scheme.g, columns=self.columns))
        tables = [self._table(array, transformed, g, swapped=swapped, turned=turned) for g in range(self.group)]
        return [bound(code, table, (array, transformed)) for table in tables]

    def transform(self, array: Array, transformed: Array, *, swapped: bool = False, turned: bool = False) -> list[Call]:
        """Calls that write `transformed`: of filters as they are; or with inputs for outputs and outputs for inputs;
        or so, and turned round."""
        return self._calls(write_transformed, array, transformed, swapped=swapped or turned, turned=turned)

    def add_gradient(self, gradient: Array, transformed: Array) -> list[Call]:
        """Calls that add the `transformed` gradient to the filters'."""
        return self._calls(write_gradient, gradient, transformed, swapped=False, turned=False)


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
