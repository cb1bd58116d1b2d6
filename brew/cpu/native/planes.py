"""Convolutions on plain blobs: vectors of neighbouring pixels, with a filter's number in all their lanes.

In blocks of channels a vector holds channels of several groups where these are few, and most of its lanes multiply
zeros; and a net whose blobs are plain has to bring them into blocks first. Here both fall away. What is lost are the
lanes behind the end of a row.

Results are the same for any number of threads: work is cut by shapes alone, and parts are added up in one order.
"""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np

from brew.cpu.llvm.compiler import function
from brew.cpu.llvm.slots import Table
from brew.cpu.llvm.team import bound
from brew.layer import Array

from . import planes_code as code
from . import planes_sums
from .blocked import Blocked, up, width
from .filter_bank import Call
from .grouped_plan import FEWEST, Filters
from .planes_plan import FLOAT, Sight, joined
from .winograd import Finish

_CACHED = 192 << 10  # bytes of copies of the source, at most: they stay in the second cache
_AT_ONCE = 12  # outputs, or vectors of a row, at most
_WRITTEN = 49  # taps, at most, whose every product has code of its own
_CHAIN, _START = 4, 25  # cycles: from one product to the next that needs it; around the products of a tile
_UNROLLED = 4  # vectors of a row, at most


class _Pass:
    """What both passes know about their blobs and their bands of rows."""

    def __init__(self, filters: Filters, threads: int, *, turned: bool) -> None:
        self.sight = sight = Sight(joined(filters), turned)
        self.of, self.threads = sight.of, threads
        self.ragged = sight.target.width % width() > 0
        self.copies = self._copies() if sight.copies else None

    def _copies(self) -> code.Copies:
        sight = self.sight
        whole, rest = divmod(sight.source.width, sight.stride[1] * width())
        return code.Copies(sight.stride[1], whole, rest > 0, sight.left > 0, sight.filled < sight.share)

    def _cut(self, down: int, units: int) -> None:
        """Into bands of a multiple of `down` rows; `units` are there without bands."""
        sight, rows, step = self.sight, self.sight.target.height, self.sight.stride[0]
        fit = (_CACHED // (sight.pitch * FLOAT * sight.inputs) - sight.reach) // step if sight.copies else rows
        shared = -(-rows // max(1, -(-FEWEST // units)))
        self.band = min(up(max(1, min(fit, max(shared, 4))), down), up(rows, down))
        self.bands = -(-rows // self.band)
        self.copied_rows = (self.band - 1) * step + sight.reach + 1
        self.plane = (self.copied_rows if sight.copies else sight.source.height) * sight.pitch
        self.copied = self.plane * sight.inputs + 2 * width() if sight.copies else 0

    def _slots(self, source: Array, target: Array, scratch: Array, of_thread: int, places: Table) -> dict[str, int]:
        sight, group = self.sight, self.of.group
        return {
            **_blob("source", sight.source, source, group), **_blob("target", sight.target, target, group),
            "source_height": sight.source.height, "source_width": sight.source.width, "inputs": sight.inputs,
            "scratch": scratch.ctypes.data, "scratch_of_thread": of_thread * FLOAT, "left": sight.left * FLOAT,
            "pitch": sight.pitch * FLOAT, "filled": sight.filled * FLOAT, "share": sight.share * FLOAT,
            "step": sight.stride[0], "row_step": sight.stride[0] * sight.pitch * FLOAT,
            "copied_rows": self.copied_rows, "copied_plane": self.plane * FLOAT,
            "lowest": min(sight.axes[0]), "bands": self.bands, "band": self.band, "rows": sight.target.height,
            "columns": sight.vectors, "rest": sight.target.width % width(), "places": places.size,
            "place_table": places.ctypes.data, "outputs": sight.outputs,
        }  # fmt: skip


def _blob(name: str, blob: Blocked, array: Array, group: int) -> dict[str, int]:
    row = blob.width * FLOAT
    plane = row * blob.height
    return {
        name: array.ctypes.data, f"{name}_row": row, f"{name}_plane": plane,
        f"{name}_group": plane * (blob.channels // group), f"{name}_image": plane * blob.channels,
    }  # fmt: skip


class Multiplied(_Pass):
    """A pass that writes a blob: forward, or with `turned` the gradient of the source from that of the target."""

    def __init__(self, filters: Filters, threads: int, *, turned: bool = False) -> None:
        super().__init__(filters, threads, turned=turned)
        self.tile = self._tile()
        self._cut(self.tile[1], self.sight.target.images * self.of.group)

    @property
    def scratch(self) -> int:
        """Float32."""
        return self.copied * self.threads

    @property
    def filters(self) -> int:
        """Float32 of the filters in their order here."""
        return self.of.group * self.sight.outputs * self.sight.inputs * self.of.taps

    def _alone(self) -> tuple[tuple[int, ...], int]:
        """For one output from one input: its rows of taps, and the taps of a row, where the code writes all of them."""
        sight = self.sight
        few = sight.inputs == sight.outputs == 1 and sight.copies and self.of.taps <= _WRITTEN
        return (sight.row_offsets, self.of.kernel[1]) if few else ((), 0)

    def _tile(self) -> tuple[int, int, int]:
        """Outputs, rows and vectors of a row at once: whose sums stay in registers, that take the fewest cycles."""
        sight, registers = self.sight, 32 if width() == 16 else 16
        loads = 2 if sight.copies and width() == 16 else 1.2  # a load across two lines of the cache takes two
        places, (alone, taps) = sight.inputs * self.of.taps, self._alone()

        def cycles(outputs: int, down: int, across: int) -> float:
            if alone:
                rows = len({r * sight.stride[0] + offset for r in range(down) for offset in alone})
                read = (rows * across * loads + len(alone)) / 2
                return taps * max(down * across * len(alone) / 2, read) + _START
            vectors = down * across
            each = max(_CHAIN, outputs * vectors / 2, (vectors * loads + outputs) / 2) + 0.5
            return places * each + _START

        def cost(tile: tuple[int, int, int]) -> float:
            shares = zip((sight.outputs, sight.target.height, sight.vectors), tile, strict=True)
            parts = [[(size, whole // size), (whole % size, int(whole % size > 0))] for whole, size in shares]
            return sum(
                count * rows * columns * cycles(o, down, across)
                for (o, count), (down, rows), (across, columns) in product(*parts) if count * rows * columns
            )  # fmt: skip

        tiles = [
            (o, down, across)
            for o, across in product(*(range(1, min(n, _AT_ONCE) + 1) for n in (sight.outputs, sight.vectors)))
            for down in range(1, (min(sight.target.height, registers) if across == sight.vectors or alone else 1) + 1)
            if o * down * across + (across + len(alone) if alone else down * across) + 1 <= registers
        ]  # fmt: skip
        return min(tiles, key=cost)

    def transform(self, filters: Array, packed: Array) -> list[Call]:
        """Calls that bring the filters into that order: for each share of outputs (inputs, taps, outputs)."""
        of, sight, at_once = self.of, self.sight, self.tile[0]
        group, taps = of.group, of.taps
        given = filters.reshape(group, of.target.channels // group, of.source.channels // group, taps)
        plain = given.transpose(0, 1 + sight.turned, 2 - sight.turned, 3)
        whole = sight.outputs // at_once * at_once
        rows, split = packed.reshape(group, -1), whole * sight.inputs * taps
        calls: list[Call] = []
        for part, outputs, count in (
            (rows[:, :split], plain[:, :whole], at_once), (rows[:, split:], plain[:, whole:], sight.outputs - whole)
        ):  # fmt: skip
            if part.size:
                here = outputs.reshape(group, -1, count, sight.inputs, taps)
                there = part.reshape(group, -1, sight.inputs, taps, count)
                calls.append(partial(np.copyto, there, here.transpose(0, 1, 3, 4, 2)))
        return calls

    def bind(
        self, source: Array, target: Array, packed: Array, scratch: Array, finish: Finish | None = None
    ) -> list[Call]:
        """The calls; `finish.bias` has a number for each channel of the target."""
        finish, sight = finish or Finish(), self.sight
        outputs, down, across = self.tile
        over = sight.vectors % across
        last = over or (across if self.ragged else 0)
        how = code.Multiply(
            outputs, down, across, sight.outputs % outputs, sight.target.height % down, last, self.ragged,
            self.copies, *self._alone(), finish.bias is not None, finish.added is not None, finish.slope != 1,
        )  # fmt: skip
        places, slope = sight.places(self.plane), np.full(width(), finish.slope, np.float32)
        table = code.MULTIPLY.table({
            **self._slots(source, target, scratch, self.copied, places), "groups": self.of.group,
            "units": sight.target.images * self.of.group * self.bands, "filters": packed.ctypes.data,
            "filters_group": sight.outputs * places.size * FLOAT, "slope": slope.ctypes.data,
            "bias": 0 if finish.bias is None else finish.bias.ctypes.data,
            "added": 0 if finish.added is None else finish.added.ctypes.data,
        })  # fmt: skip
        keep = (places, slope, source, target, packed, scratch, finish)
        run = function(f"planes {how}", partial(code.write_multiply, how=how))
        return [bound(run, table, keep, most=self.threads)]


class Summed(_Pass):
    """The gradients of filters and bias, from the source and the gradient of the target."""

    def __init__(self, filters: Filters, threads: int) -> None:
        super().__init__(filters, threads, turned=False)
        sight, images, group = self.sight, self.sight.target.images, self.of.group
        self.of_part = -(-images // min(images, -(-FEWEST // group)))
        self.parts = -(-images // self.of_part)
        self._cut(1, FEWEST)
        places = sight.inputs * self.of.taps
        self.sums = sight.outputs * (places + 1) * width()
        self.part = group * sight.outputs * (places + 1)
        registers = 32 if width() == 16 else 16
        tiles = [
            (o, p) for o, p in product(range(1, min(sight.outputs, _AT_ONCE) + 1), range(1, min(places, _AT_ONCE) + 1))
            if o * p + o + p <= registers
        ]  # fmt: skip

        def cost(tile: tuple[int, int]) -> float:
            parts = [[size] * (whole // size) + [whole % size] * (whole % size > 0)
                     for whole, size in zip((sight.outputs, places), tile, strict=True)]  # fmt: skip
            return sum(max(_CHAIN, o * p / 2, (o + p * 1.6) / 2) + 1 for o, p in product(*parts))

        self.tile = min(tiles, key=cost)

    @property
    def scratch(self) -> int:
        """Float32: each thread's copies and sums, and what the parts have summed."""
        return (self.copied + self.sums) * self.threads + self.part * self.parts

    def bind(
        self, source: Array, d_target: Array, d_filters: Array | None, scratch: Array, d_bias: Array | None = None
    ) -> list[Call]:
        """The calls; what they find is added to the gradients."""
        sight, of_thread = self.sight, self.copied + self.sums
        places = sight.places(self.plane)
        outputs, at_once = self.tile
        across = sight.vectors if sight.vectors <= _UNROLLED else 0
        how = planes_sums.Sum(
            outputs, at_once, across, sight.outputs % outputs, places.size % at_once, self.ragged, self.copies,
            d_filters is not None, d_bias is not None,
        )  # fmt: skip
        biases = self.of.group * sight.outputs * places.size
        found = scratch.reshape(-1)[of_thread * self.threads :][: self.part * self.parts].reshape(self.parts, -1)
        table = planes_sums.SUM.table({
            **self._slots(source, d_target, scratch, of_thread, places), "units": self.of.group * self.parts,
            "images": sight.target.images, "parts": self.parts, "of_part": self.of_part,
            "sums": self.copied * FLOAT, "partial": found.ctypes.data, "partial_part": self.part * FLOAT,
            "partial_bias": biases * FLOAT,
        })  # fmt: skip
        keep = (places, source, d_target, scratch)
        run = function(f"planes {how}", partial(planes_sums.write_sum, how=how))
        pairs = ((d_filters, found[:, :biases]), (d_bias, found[:, biases:]))
        gradients = [(gradient, parts) for gradient, parts in pairs if gradient is not None]
        return [bound(run, table, keep, most=self.threads), partial(_add, gradients)]


def _add(gradients: list[tuple[Array, Array]]) -> None:
    """Add what the parts have summed to each gradient."""
    for gradient, parts in gradients:
        gradient += parts.sum(axis=0).reshape(gradient.shape)
