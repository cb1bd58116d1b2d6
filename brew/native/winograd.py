"""Convolutions of 3 x 3 and 5 x 5 filters by Winograd's algorithm, on blobs in blocks of channels.

A third to a quarter of the multiplications of the direct way, in float32 throughout. Three calls make a layer:
`Convolution` forward, and again for the gradient of its bottom, with the filters turned round; `Gradient` for that of
its filters. Each is made for shapes, tells how much memory it needs, and is bound to arrays.

Results are the same for any number of threads: each tile's sums, and each filter's, are added up in one fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from . import drivers, products, tiles
from .blocked import Array, Blocked, Tiling, spread, tile_table, up, width
from .filter_bank import Call, FilterBank
from .llvm import Function, function
from .slots import Table
from .team import bound
from .transforms import SCHEMES, Scheme

_CACHE = 1 << 20  # bytes of a thread's tiles that stay close
_FEWEST = 48  # tiles in a block of work, where there are as many
_PART = 4 << 20  # bytes of tiles between two additions to a gradient, at least
_UNIT = 32  # tiles in a thread's unit of work
_MOST_ROWS = 14

# What decides between the ways, by a rule that is the same everywhere: in multiplications of vectors by the direct way,
# the time of a multiplication here, of taking apart and putting together an element of a tile, and of transforming a
# filter (measured on Zen 4).
_RATE, _APART, _TOGETHER, _TRANSFORMED = 0.9, 6, 5, 1000
_MARGIN = 0.85


@dataclass(frozen=True)
class _Cost:
    """What a way costs, and the direct one, both in multiplications of vectors."""

    here: float
    direct: float
    transforming: float  # of the filters

    @classmethod
    def of(cls, scheme: Scheme, source: Blocked, target: Blocked, *, derived: bool) -> _Cost:
        """With `derived` the filters are transformed for every run."""
        bank = FilterBank(scheme, target.of_group, source.of_group, 1)
        blocks = bank.panels * bank.columns
        element = bank.rows * blocks / _RATE + source.blocks * _APART + target.blocks * _TOGETHER
        tiles = Tiling.over(target, scheme.outputs).count
        transforming = bank.inputs * blocks * _TRANSFORMED
        here = tiles * scheme.elements * element + derived * transforming
        pixels = target.images * target.height * target.width
        return cls(here, pixels * scheme.taps**2 * bank.inputs * target.blocks, transforming)

    @property
    def pays(self) -> bool:
        return self.here < _MARGIN * self.direct


def _best(taps: int, source: Blocked, target: Blocked, *, derived: bool) -> tuple[Scheme, _Cost]:
    """The cheapest scheme for filters of `taps`."""
    costs = {scheme: _Cost.of(scheme, source, target, derived=derived) for scheme in SCHEMES[taps]}
    scheme = min(costs, key=lambda scheme: costs[scheme].here)
    return scheme, costs[scheme]


@dataclass(frozen=True, eq=False)
class Finish:
    """What is done to each value before it is written: plus `bias`, plus `added`, then a ReLU.

    bias    a number for each channel, in whole blocks, or none
    added   another blob that lies as the target, or none
    slope   of the ReLU; 1 for none
    """

    bias: Array | None = None
    added: Array | None = None
    slope: float = 1.0


class Convolution:
    """target = filters * source; stride 1."""

    def __init__(
        self, source: Blocked, target: Blocked, taps: int, pad: Sequence[int], threads: int, *, derived: bool,
        added: bool = False,
    ) -> None:  # fmt: skip
        """`threads` at most will compute it. With `derived` the filters are transformed for every run; `added` says
        that another blob will be added."""
        self.source, self.target, self.pad, self.added = source, target, tuple(pad), added
        self.scheme, cost = _best(taps, source, target, derived=derived)
        self.pays = cost.pays
        self.transforming = (
            cost.transforming / cost.here
        )  # the share of the time that it takes to transform the filters
        self.filters = FilterBank(self.scheme, target.of_group, source.of_group, source.group)
        self.tiling = Tiling.over(target, self.scheme.outputs)
        self.threads = threads
        self._share(threads)
        self.tile_block = self.of_block * width() * 4
        self.element = spread(source.blocks * self.tile_block)
        self.product_element = spread(self.filters.panels * self.filters.columns * self.tile_block)
        self._of_thread = self.scheme.elements * (self.element + self.product_element)
        self.scratch = threads * self._of_thread // 4  # float32

    def _share(self, threads: int) -> None:
        """Choose the tiles of a block of work: even shares for all, that stay in the cache, in whole bands."""
        of_tile = self.scheme.elements * (self.source.of_group + self.target.of_group) * 4
        most = max(_CACHE // of_tile, _FEWEST)
        blocks = threads * -(-self.tiling.count // (threads * most))
        share = -(-self.tiling.count // blocks)
        columns, registers = self.filters.columns, 2 * width()
        high = min((registers - columns - 1) // columns, _MOST_ROWS)
        self.rows = min(range(high, max(1, high // 2), -1), key=lambda rows: up(share, rows))
        self.of_block = up(share, self.rows)

    def bind(
        self, source: Array, target: Array, transformed: Array, scratch: Array, finish: Finish | None = None
    ) -> list[Call]:
        """The calls, one for each group; `transformed` has `filters.size` float32, `scratch` as many as it says."""
        finish = finish or Finish()
        slopes = np.full(width(), finish.slope, np.float32)
        biases = finish.bias
        if biases is None:
            biases = np.zeros(self.target.group * self.target.blocks * width(), np.float32)
        keep = (source, target, transformed, scratch, slopes, biases, finish)
        calls = []
        for group in range(self.source.group):
            own = biases.ctypes.data + group * self.target.blocks * width() * 4
            added = 0 if finish.added is None else self.target.slots(finish.added, group)["blob"]
            taken = tile_table(
                self.tiling, self.source, source, group, tile_block=self.tile_block, element=self.element,
                top=self.pad[0], left=self.pad[1],
            )  # fmt: skip
            put = tile_table(
                self.tiling, self.target, target, group, tile_block=self.tile_block, element=self.product_element,
                bias=own, slope=slopes.ctypes.data, added=added,
            )  # fmt: skip
            table = self._table(group, taken, put, transformed, scratch)
            calls.append(bound(self._codes()["convolve"], table, (keep, taken, put), most=self.threads))
        return calls

    def _table(self, group: int, taken: Table, put: Table, transformed: Array, scratch: Array) -> Table:
        codes, bank = self._codes(), self.filters
        return drivers.CONVOLVE.table({
            "tiles": codes["tiles"].address, "tiles_table": taken.ctypes.data, "product": codes["product"].address,
            "untile": codes["untile"].address, "untile_table": put.ctypes.data,
            "scratch": scratch.ctypes.data, "scratch_of_thread": self._of_thread,
            "products": self.scheme.elements * self.element,
            "transformed": transformed.ctypes.data + group * self.scheme.elements * bank.element,
            "transformed_element": bank.element, "elements": self.scheme.elements,
            "element": self.element, "product_element": self.product_element,
            "tile_block": self.tile_block, "channels": bank.rows, "rows": self.rows, "panels": bank.panels,
            "panel": bank.panel, "count": self.tiling.count, "of_block": self.of_block,
            "blocks": -(-self.tiling.count // self.of_block),
        })  # fmt: skip

    def _codes(self) -> dict[str, Function]:
        name, rows, columns = self.scheme.name, self.rows, self.filters.columns
        apart = partial(tiles.write_tiles, matrix=self.scheme.bt, stride=self.scheme.outputs)
        product = partial(products.write_product, rows=rows, columns=columns)
        untile = partial(tiles.write_untile, a=self.scheme.a, added=self.added)
        return {
            "convolve": function("convolve", drivers.write_convolve),
            "tiles": function(f"tiles {name}", apart),
            "product": function(f"product {rows} {columns}", product),
            "untile": function(f"untile {name} {self.added}", untile),
        }


class Gradient:
    """gradient of the filters += the outer products of the source's and the target gradient's tiles."""

    ROWS = 8  # channels whose sums are in registers

    def __init__(self, source: Blocked, target: Blocked, taps: int, pad: Sequence[int]) -> None:
        self.source, self.target, self.pad = source, target, tuple(pad)
        self.scheme, cost = _best(taps, source, target, derived=True)
        self.pays = cost.pays
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
        return calls if bias is None else [*calls, *self._sums(target, bias)]

    def _group(self, group: int, source: Array, target: Array, gradient: Array, scratch: Array) -> list[Call]:
        taken = tile_table(
            self.tiling, self.source, source, group, tile_block=self.tile_block, element=self.source_element,
            top=self.pad[0], left=self.pad[1],
        )  # fmt: skip
        put = tile_table(
            self.tiling, self.target, target, group, tile_block=self.tile_block, element=self.target_element
        )
        codes, calls = self._codes(), []
        keep = (taken, put, codes, source, target, scratch)
        for start in range(0, self.tiling.count, self.of_part):
            table = self._table(start, taken, put, scratch)
            calls += [bound(codes[phase], table, keep) for phase in ("take apart", "accumulate")]
        transformed = scratch.reshape(-1)[sum(self._tiles) : self.scratch]
        return [*calls, *self.filters.add_gradient(gradient, transformed)]

    def _table(self, start: int, taken: Table, put: Table, scratch: Array) -> Table:
        codes, bank = self._codes(), self.filters
        count = min(self.of_part, self.tiling.count - start)
        source = scratch.ctypes.data
        target = source + 4 * self._tiles[0]
        return drivers.GRADIENT.table({
            "source_tiles": codes["source"].address, "source_table": taken.ctypes.data,
            "target_tiles": codes["target"].address, "target_table": put.ctypes.data,
            "outer": codes["outer"].address, "source": source, "target": target,
            "gradient": target + 4 * self._tiles[1], "elements": self.scheme.elements,
            "source_element": self.source_element, "target_element": self.target_element,
            "gradient_element": bank.element, "tile_block": self.tile_block, "channels": bank.rows,
            "columns": bank.columns, "panels": bank.panels, "panel": bank.panel, "start": start, "count": count,
            "of_unit": _UNIT, "units": -(-count // _UNIT), "more": int(start > 0),
        })  # fmt: skip

    def _sums(self, target: Array, bias: Array) -> list[Call]:
        of, sums = self.target, np.zeros(self.target.group * self.target.blocks * width(), np.float32)
        slots = of.slots(target, 0)
        table = tiles.SUM.table({
            "blob": slots["blob"], "image": slots["image"], "block": of.plane, "blocks": of.blocks * of.group,
            "images": of.images, "plane": of.plane, "sums": sums.ctypes.data,
        })  # fmt: skip

        def add() -> None:
            np.add(bias, sums[: of.channels], out=bias)

        return [bound(function("sum", tiles.write_sum), table, (sums, target)), add]

    def _codes(self) -> dict[str, Function]:
        name, rows, columns = self.scheme.name, self.ROWS, self.filters.columns
        apart, spread_out = (
            partial(tiles.write_tiles, matrix=matrix, stride=self.scheme.outputs)
            for matrix in (self.scheme.bt, self.scheme.a)
        )
        outer = partial(products.write_outer, rows=rows, columns=columns)
        return {
            "take apart": function("take apart", drivers.write_take_apart),
            "accumulate": function("accumulate", drivers.write_accumulate),
            "source": function(f"tiles {name}", apart),
            "target": function(f"spread {name}", spread_out),
            "outer": function(f"outer {rows} {columns}", outer),
        }
