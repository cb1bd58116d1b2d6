"""The gradient of a convolution's filters by Winograd's algorithm (brew.cpu.native.winograd)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from brew.cpu.llvm.compiler import Function, function
from brew.cpu.llvm.slots import Table
from brew.cpu.llvm.team import bound
from brew.layer import Array

from . import products, tiles
from .blocked import Blocked, Tiling, channel_sums, spread, tile_table, width
from .cost import Cost, cheapest
from .filter_bank import Call, FilterBank

_PART = 4 << 20  # bytes of tiles between two additions to a gradient, at least
_UNIT = 32  # tiles in a thread's unit of work


class Gradient:
    """gradient of the filters += the outer products of the source's and the target gradient's tiles."""

    ROWS = 8  # channels whose sums are in registers

    def __init__(self, source: Blocked, target: Blocked, taps: int, pad: Sequence[int]) -> None:
        self.source, self.target, self.pad = source, target, tuple(pad)
        self.scheme, self.cost = cheapest(taps, lambda scheme: Cost.of(scheme, source, target, target, derived=True))
        self.filters = FilterBank(self.scheme, target.of_group, source.of_group, 1, step=self.ROWS)  # a group at a time
        self.tiling = Tiling.over(target, self.scheme.outputs)
        panels = self.filters.panels * self.filters.columns
        of_tile = self.scheme.elements * (source.blocks + panels) * width() * 4
        most = max(_PART, 4 * self.filters.size) // of_tile
        parts = -(-self.tiling.count // max(1, most))
        self.of_part = -(-self.tiling.count // parts)
        self.tile_block = self.of_part * width() * 4
        self.source_element = spread(source.blocks * self.tile_block)
        self.target_element = spread(panels * self.tile_block)
        self._tiles = (self.scheme.elements * self.source_element // 4, self.scheme.elements * self.target_element // 4)
        self.scratch = sum(self._tiles) + self.filters.size  # float32

    def bind(
        self, source: Array, target: Array, gradient: Array, scratch: Array, bias: Array | None = None
    ) -> list[Call]:
        """The calls; to `bias` the sums of the target's gradient are added."""
        own = gradient.reshape(self.source.group, -1)
        calls = [c for g in range(self.source.group) for c in self._group(g, source, target, own[g], scratch)]
        return calls if bias is None else [*calls, *channel_sums(self.target, target, bias)]

    def _group(self, group: int, source: Array, target: Array, gradient: Array, scratch: Array) -> list[Call]:
        taken = tile_table(
            self.tiling, self.source, source, group, tile_block=self.tile_block, element=self.source_element,
            top=self.pad[0], left=self.pad[1],
        )  # fmt: skip
        put = tile_table(
            self.tiling, self.target, target, group, tile_block=self.tile_block, element=self.target_element
        )
        codes, calls = self._codes(), []
        keep = (taken, put, source, target, scratch)
        for start in range(0, self.tiling.count, self.of_part):
            table = self._table(codes, start, taken, put, scratch)
            calls += [bound(codes[phase], table, keep) for phase in ("take apart", "accumulate")]
        transformed = scratch.reshape(-1)[sum(self._tiles) : self.scratch]
        return [*calls, *self.filters.add_gradient(gradient, transformed)]

    def _table(self, codes: dict[str, Function], start: int, taken: Table, put: Table, scratch: Array) -> Table:
        bank = self.filters
        count = min(self.of_part, self.tiling.count - start)
        source = scratch.ctypes.data
        target = source + 4 * self._tiles[0]
        return products.GRADIENT.table({
            "source_tiles": codes["source"], "source_table": taken.ctypes.data,
            "target_tiles": codes["target"], "target_table": put.ctypes.data,
            "outer": codes["outer"], "source": source, "target": target,
            "gradient": target + 4 * self._tiles[1], "elements": self.scheme.elements,
            "source_element": self.source_element, "target_element": self.target_element,
            "gradient_element": bank.element, "tile_block": self.tile_block, "channels": bank.rows,
            "columns": bank.columns, "panels": bank.panels, "panel": bank.panel, "start": start, "count": count,
            "of_unit": _UNIT, "units": -(-count // _UNIT), "more": int(start > 0),
        })  # fmt: skip

    def _codes(self) -> dict[str, Function]:
        name, rows, columns = self.scheme.name, self.ROWS, self.filters.columns
        apart, spread_out = (
            partial(tiles.write_tiles, matrix=matrix, stride=self.scheme.outputs)
            for matrix in (self.scheme.bt, self.scheme.a)
        )
        outer = partial(products.write_outer, rows=rows, columns=columns)
        return {
            "take apart": function("take apart", products.write_take_apart),
            "accumulate": function("accumulate", products.write_accumulate),
            "source": function(f"tiles {name}", apart),
            "target": function(f"spread {name}", spread_out),
            "outer": function(f"outer {rows} {columns}", outer),
        }
