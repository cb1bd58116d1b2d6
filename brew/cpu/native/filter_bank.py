"""Banks of filters as Winograd's products want them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from brew.cpu.llvm.compiler import function
from brew.cpu.llvm.slots import Table
from brew.cpu.llvm.team import bound
from brew.layer import Array

from . import filters
from .blocked import spread, up, width
from .transforms import Scheme

Call: TypeAlias = Callable[[], None]

STEP = 4  # channels are multiplied in fours
_UNIT = 64  # channels in a unit of work


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
        return filters.SLOTS.table({
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
        return self._calls(filters.write_transformed, array, transformed, swapped=swapped or turned, turned=turned)

    def add_gradient(self, gradient: Array, transformed: Array) -> list[Call]:
        """Calls that add the `transformed` gradient to the filters'."""
        return self._calls(filters.write_gradient, gradient, transformed, swapped=False, turned=False)
