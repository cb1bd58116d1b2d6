"""Depthwise convolutions, whose every channel has a filter of its own, on blobs in blocks of channels.

They multiply so little that memory bounds them. Forward reads the source once; backward reads the source and the
gradient of the target once, for both gradients. Each is made for shapes and is bound to arrays.

Work is cut by shape alone, into units of some images or some rows of a block of channels; each sums the gradient of its
filters by itself, and these are added up in one order: results are the same for any number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from brew.cpu.llvm.compiler import function
from brew.cpu.llvm.team import bound
from brew.layer import Array

from . import depthwise_code as code
from .blocked import Blocked, streams, width
from .filter_bank import Call
from .winograd import Finish

TAPS, STRIDES = code.TAPS, (1, 2)
_FEWEST = 2048  # pixels in a unit, where there are as many: loading its filters is then a hundredth of the work
_AT_ONCE = (8, 7, 6, 5)


@dataclass(frozen=True)
class Depthwise:
    """target = filters * source, with filters of TAPS x TAPS and a stride of STRIDES; both blobs have one group."""

    source: Blocked
    target: Blocked
    stride: int
    pad: tuple[int, int]

    @cached_property
    def zeros(self) -> Array:
        """A row of either blob where there is none."""
        return np.zeros(max(self.source.width, self.target.width) * width(), np.float32)

    def forward(self, source: Array, target: Array, filters: Array, finish: Finish | None = None) -> list[Call]:
        """The calls; `finish.bias` has a number for each channel."""
        finish = finish or Finish()
        rows = _Rows(self.target, self.target.height)
        s, (top, left), blob = self.stride, self.pad, self.target
        first = min(-(-left // s), blob.width)
        last = min(max((self.source.width - TAPS + left) // s + 1, first), blob.width)
        slope = np.full(width(), finish.slope, np.float32)
        how = code.Forward(s, _at_once(last - first), finish.bias is not None, finish.added is not None,
                           finish.slope != 1, streams(target))  # fmt: skip
        table = code.FORWARD.table({
            **_blob("source", self.source, source), **_blob("target", blob, target), **rows.slots,
            **self._fixed(filters), "top": top, "left": left, "inner": first, "inner_end": last,
            "slope": slope.ctypes.data, "bias": 0 if finish.bias is None else finish.bias.ctypes.data,
            "added": 0 if finish.added is None else finish.added.ctypes.data,
        })  # fmt: skip
        run = function(f"depthwise {how}", partial(code.write_forward, how=how))
        return [bound(run, table, (source, target, filters, finish, slope, self))]

    def _fixed(self, filters: Array) -> dict[str, int]:
        return {"filters": filters.ctypes.data, "channels": self.source.channels, "zeros": self.zeros.ctypes.data}

    @property
    def _groups(self) -> tuple[int, int]:
        """Groups of `stride` rows and columns of the source, from its padding on: backward goes by them."""
        heights = (self.source.height + self.pad[0], self.source.width + self.pad[1])
        down, across = (-(-size // self.stride) for size in heights)
        return down, across

    @property
    def scratch(self) -> int:
        """Float32 that `backward` needs."""
        return _Rows(self.source, self._groups[0]).units * (TAPS * TAPS + 1) * width()

    def backward(
        self, source: Array, d_target: Array, filters: Array, scratch: Array,
        d_source: Array | None, d_filters: Array | None, d_bias: Array | None = None,
    ) -> list[Call]:  # fmt: skip
        """The calls: `d_source` is written, the other gradients are added to; where one is None, it is not computed."""
        s, (top, left) = self.stride, self.pad
        rows, across = _Rows(self.source, self._groups[0]), self._groups[1]
        reach = -(-TAPS // s) - 1  # columns of the target, before its own, that a group of columns reads
        first = min(max(-(-left // s), reach), across)
        last = min(max(min(self.target.width, (self.source.width + left) // s), first), across)
        data, past = d_source is not None, d_source is not None and streams(d_source)
        how = code.Backward(s, data, d_filters is not None, d_bias is not None, past)
        table = code.BACKWARD.table({
            **_blob("source", self.source, source), **_blob("target", self.target, d_target), **rows.slots,
            **self._fixed(filters), "top": top, "left": left, "inner": first, "inner_end": last, "across": across,
            "of_target": -(-self.target.height // rows.bands), "partial": scratch.ctypes.data,
            "d_source": 0 if d_source is None else d_source.ctypes.data,
        })  # fmt: skip
        keep = (source, d_target, filters, scratch, d_source, self)
        calls = [bound(function(f"depthwise {how}", partial(code.write_backward, how=how)), table, keep)]
        for gradient, start, count in ((d_filters, 0, TAPS * TAPS), (d_bias, TAPS * TAPS, 1)):
            if gradient is not None:
                calls.append(self._added(rows, scratch, gradient, start, count))
        return calls

    def _added(self, rows: _Rows, scratch: Array, gradient: Array, start: int, count: int) -> Call:
        """Add up what the units have summed, from number `start` on `count` for each channel."""
        table = code.ADD.table({
            "partial": scratch.ctypes.data + start * width() * 4, "units": rows.units, "blocks": self.source.blocks,
            "bands": rows.bands, "gradient": gradient.ctypes.data, "count": count, "channels": self.source.channels,
        })  # fmt: skip
        return bound(function("depthwise add", code.write_add), table, (scratch, gradient))


def _at_once(columns: int) -> int:
    """How many of so many columns are computed together: those that are left over are computed one by one."""
    return min(_AT_ONCE, key=lambda number: columns % number)


class _Rows:
    """How a blob's `rows` are shared out: units of whole images where these are small, else of bands of rows."""

    def __init__(self, blob: Blocked, rows: int) -> None:
        images = min(max(_FEWEST // max(blob.height * blob.width, 1), 1), blob.images)
        band = min(max(-(-_FEWEST // blob.width), 1), rows) if images == 1 else rows
        self.bands = -(-rows // band)
        self.units = -(-blob.images // images) * blob.blocks * self.bands
        self.slots = {
            "units": self.units, "blocks": blob.blocks, "bands": self.bands, "images": blob.images,
            "of_unit": images, "of_band": band, "rows": rows,
        }  # fmt: skip


def _blob(name: str, blob: Blocked, array: Array) -> dict[str, int]:
    slots = blob.slots(array, 0)
    return {name: slots.pop("blob"), **{f"{name}_{k}": v for k, v in slots.items() if k != "blocks"}}
