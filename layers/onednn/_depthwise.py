"""The passes of a depthwise convolution, whose every channel has a filter of its own (brew.cpu.native.depthwise)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brew.cpu import onednn
from brew.cpu.native import depthwise as native
from brew.cpu.native.blocked import Blocked, holds
from brew.cpu.native.winograd import Finish
from brew.cpu.onednn.after import After
from brew.layer import Arrays, Buffer, Shape, Wanted

from ._passes import BACKWARD, BOTTOM, DEPTHWISE, FILTERS, FORWARD, NOTHING, Added, Listed, Pass, addend


@dataclass(frozen=True, slots=True)
class Depthwise:
    """A convolution that our code for depthwise ones can do."""

    run_on: native.Depthwise
    training: bool

    def passes(self, after: After | None, wanted: Wanted, *, biased: bool) -> dict[str, Pass]:
        passes: dict[str, Pass] = {FORWARD: DepthwiseForward(self, after or After())}
        if wanted.backward:
            one = FILTERS if any(wanted.params) else BOTTOM
            passes[BACKWARD if any(wanted.params) and wanted.bottoms[0] else one] = DepthwiseBackward(self, wanted)
        return passes


def depthwise(
    x: Shape, y: Shape, kernel: Shape, stride: Shape, pad: Shape, dilation: Shape, group: int, *, training: bool
) -> Depthwise | None:
    """How our code sees a convolution of blobs in blocks of channels; None where it cannot do it."""
    if not holds(onednn.block()) or not all((*x, *y)):
        return None
    taps = (native.TAPS, native.TAPS)
    plain = kernel == taps and stride[0] == stride[1] and stride[0] in native.STRIDES and max(dilation) == 1
    if not plain or not x[1] == y[1] == group > 1 or any(p >= native.TAPS for p in pad):
        return None
    return Depthwise(native.Depthwise(Blocked(*x), Blocked(*y), stride[0], (pad[0], pad[1])), training)


class DepthwiseForward(Listed):
    """Outside of training the weights are copied when they change, for where they lie others may come."""

    way = DEPTHWISE

    def __init__(self, of: Depthwise, after: After) -> None:
        super().__init__(keeps=not of.training)
        self.of, self.after, self.derives = of, after, self.keeps
        if self.keeps:
            self.buffers["w"] = Buffer((of.run_on.source.channels * native.TAPS**2,), kept=True)

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        self.seen = -1
        finish = Finish(io.w[1] if len(io.w) > 1 else None, addend(added), self.after.slope)
        filters = io.work["w"] if self.keeps else io.w[0]
        self.calls = self.of.run_on.forward(io.x[0], io.y[0], filters, finish)

    def derive(self, io: Arrays) -> None:
        np.copyto(io.work["w"], io.w[0].reshape(-1))


class DepthwiseBackward(Listed):
    """All gradients at once."""

    way = DEPTHWISE

    def __init__(self, of: Depthwise, wanted: Wanted) -> None:
        super().__init__()
        self.of, self.wanted = of, wanted
        self.buffers["sums"] = Buffer((of.run_on.scratch,))

    def bind(self, io: Arrays, added: Added = NOTHING) -> None:
        gradients = (io.dx[0], io.dw[0] if io.dw else None, io.dw[1] if len(io.dw) > 1 else None)
        self.calls = self.of.run_on.backward(io.x[0], io.dy[0], io.w[0], io.work["sums"], *gradients)
