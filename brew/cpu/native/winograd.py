"""Convolutions of 3 x 3 and 5 x 5 filters by Winograd's algorithm, on blobs in blocks of channels.

A third to a quarter of the multiplications of the direct way, in float32 throughout. Three calls make a layer:
`Convolution` forward; for the gradient of its bottom the same with the filters turned round, or `Overlapped`; and for
that of its filters cpu.native.winograd_gradient. Each is made for shapes, tells how much memory it needs, and is bound
to arrays.

Results are the same for any number of threads: each tile's sums, and each filter's, are added up in one fixed order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from brew.cpu.llvm.compiler import Function, function
from brew.cpu.llvm.slots import Table
from brew.cpu.llvm.team import bound
from brew.layer import Array

from . import products, tiles
from .blocked import Blocked, Tiling, spread, tile_table, up, width
from .cost import Cost, cheapest
from .filter_bank import Call, FilterBank
from .transforms import transposed

_CACHE = 1 << 20  # bytes of a thread's tiles that stay close
_FEWEST = 48  # tiles in a unit of work, where there are as many
_FEWEST_OF_LARGE = 96  # the same where the filters do not stay close: every unit reads all of them from afar
_MOST_ROWS = 14


@dataclass(frozen=True, eq=False)
class Finish:
    """The operations on each value before it is written: plus `bias`, plus `added`, then a ReLU.

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
        added: bool = False, turned: bool = False,
    ) -> None:  # fmt: skip
        """`threads` at most will compute it. With `derived` the filters are transformed for every run; `added` says
        that another blob will be added, `turned` that the filters go the other way: for the gradient of a bottom."""
        self.source, self.target, self.pad, self.threads = source, target, tuple(pad), threads
        self.added, self.turned = added, turned
        tiled = self.tiled
        self.scheme, self.cost = cheapest(taps, lambda scheme: Cost.of(scheme, source, target, tiled, derived=derived))
        self.filters = FilterBank(self.scheme, target.of_group, source.of_group, source.group)
        self.tiling = Tiling.over(tiled, self.scheme.outputs)
        self._share()
        self.tile_block = up(self.of_unit, self.rows) * width() * 4
        self.element = spread(source.blocks * self.tile_block)
        self.product_element = spread(self.filters.panels * self.filters.columns * self.tile_block)
        self._of_thread = self.scheme.elements * (self.element + self.product_element)
        self.scratch = threads * self._of_thread // 4  # float32

    @property
    def tiled(self) -> Blocked:
        """The blob whose pixels the tiles share out."""
        return self.target

    @property
    def inseparable(self) -> int:
        """Tiles that one unit of work must have together."""
        return 1

    def _share(self) -> None:
        """Choose the tiles of a unit of work, even shares for all that stay in the cache, and those of a band."""
        of_tile = self.scheme.elements * (self.source.of_group + self.target.of_group) * 4
        large = self.filters.scheme.elements * self.filters.element > _CACHE
        most = max(_CACHE // of_tile, _FEWEST_OF_LARGE if large else _FEWEST)
        units = self.threads * -(-self.tiling.count // (self.threads * most))
        share = up(-(-self.tiling.count // units), self.inseparable)
        columns, registers = self.filters.columns, 2 * width()
        high = min((registers - columns - 1) // columns, _MOST_ROWS)
        self.rows = min(range(high, max(1, high // 2), -1), key=lambda rows: up(share, rows))
        self.of_unit = up(share, self.rows) if self.inseparable == 1 else share

    def transform(self, filters: Array, transformed: Array) -> list[Call]:
        """Calls that bring the filters into the order that `bind` wants: `self.filters.size` float32."""
        return self.filters.transform(filters, transformed, turned=self.turned)

    def bind(
        self, source: Array, target: Array, transformed: Array, scratch: Array, finish: Finish | None = None
    ) -> list[Call]:
        """The calls, one for each group; `scratch` has as many float32 as it says."""
        finish = finish or Finish()
        slopes = np.full(width(), finish.slope, np.float32)
        biases = finish.bias
        if biases is None:
            biases = np.zeros(self.target.group * self.target.blocks * width(), np.float32)
        keep = (source, target, transformed, scratch, slopes, biases, finish)
        codes, calls = self._codes(), []
        for group in range(self.source.group):
            own = biases.ctypes.data + group * self.target.blocks * width() * 4
            added = 0 if finish.added is None else self.target.slots(finish.added, group)["blob"]
            taken = tile_table(
                self.tiling, self.source, source, group, tile_block=self.tile_block, element=self.element,
                **self._before(self.source),
            )  # fmt: skip
            put = tile_table(
                self.tiling, self.target, target, group, tile_block=self.tile_block, element=self.product_element,
                bias=own, slope=slopes.ctypes.data, added=added, **self._before(self.target),
            )  # fmt: skip
            table = self._table(codes, group, taken, put, transformed, scratch)
            calls.append(bound(codes["convolve"], table, (keep, taken, put), most=self.threads))
        return calls

    def _before(self, blob: Blocked) -> dict[str, int]:
        """How far the first tile begins before a blob: the one that is not shared out has the padding."""
        return dict.fromkeys(("top", "left"), 0) if blob is self.tiled else {"top": self.pad[0], "left": self.pad[1]}

    def _table(
        self, codes: dict[str, Function], group: int, taken: Table, put: Table, transformed: Array, scratch: Array
    ) -> Table:
        bank = self.filters
        return products.CONVOLVE.table({
            "tiles": codes["tiles"], "tiles_table": taken.ctypes.data, "product": codes["product"],
            "untile": codes["untile"], "untile_table": put.ctypes.data,
            "scratch": scratch.ctypes.data, "scratch_of_thread": self._of_thread,
            "products": self.scheme.elements * self.element,
            "transformed": transformed.ctypes.data + group * self.scheme.elements * bank.element,
            "transformed_element": bank.element, "elements": self.scheme.elements,
            "element": self.element, "product_element": self.product_element,
            "tile_block": self.tile_block, "channels": bank.rows, "rows": self.rows, "panels": bank.panels,
            "panel": bank.panel, "count": self.tiling.count, "of_unit": self.of_unit,
            "units": -(-self.tiling.count // self.of_unit),
        })  # fmt: skip

    def _codes(self) -> dict[str, Function]:
        rows, columns = self.rows, self.filters.columns
        product = partial(products.write_product, rows=rows, columns=columns)
        return {
            "convolve": function("convolve", products.write_convolve),
            "product": function(f"product {rows} {columns}", product),
            **self._ends(),
        }

    def _ends(self) -> dict[str, Function]:
        """The functions that take tiles apart, and put them together."""
        name = self.scheme.name
        apart = partial(tiles.write_tiles, matrix=self.scheme.bt, stride=self.scheme.outputs)
        untile = partial(tiles.write_untile, a=self.scheme.a, added=self.added)
        return {"tiles": function(f"tiles {name}", apart), "untile": function(f"untile {name} {self.added}", untile)}


class Overlapped(Convolution):
    """The gradient of a bottom the other way: tiles of the top's gradient become larger ones of the bottom's, which
    overlap and are added up. With little padding these are fewer: the bottom is larger than the top.

    `pad` is the convolution's own.
    """

    @property
    def tiled(self) -> Blocked:
        return self.source

    @property
    def inseparable(self) -> int:
        """All of an image: its tiles are added to the same pixels."""
        return self.tiling.down * self.tiling.across

    def transform(self, filters: Array, transformed: Array) -> list[Call]:
        return self.filters.transform(filters, transformed, swapped=True)

    def _ends(self) -> dict[str, Function]:
        name = self.scheme.name
        apart = partial(tiles.write_tiles, matrix=self.scheme.a, stride=self.scheme.outputs)
        overlap = partial(tiles.write_overlap, b=transposed(self.scheme.bt), stride=self.scheme.outputs)
        return {"tiles": function(f"spread {name}", apart), "untile": function(f"overlap {name}", overlap)}
