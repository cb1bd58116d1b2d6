"""The end of a residual block in training: BatchNorm and Scale of its branch, the sum with its trunk, and ReLU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.layer import Arrays, Layer, Prepared, Shapes, Unsupported, Wanted
from brew.layer.fused import Fused
from brew.layer.layout import Layout
from brew.ops.in_place import overwrites

from ._convolved import ReLUBackward, relu_slope
from ._normalised import Normalised
from ._summed import Summed
from ._sums import copy


class Residual(Fused):
    """Forward writes what the layers write. Backward reads the sum's gradient where it is: for the branch it need not
    be copied, nor for the trunk where that one's lies in its memory.
    """

    stateful = True
    skips = False
    reads = frozenset("y")

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(layers)
        self.branch, self.sum = Normalised(layers[:2]), Summed(layers[2:])

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        norm, scale, total, relu = self.layers
        if not all(wanted.bottoms) or len(shapes.x) != 2:
            raise Unsupported("not the gradients of two blobs")
        if not all(overwrites(layer.param) for layer in (norm, scale, relu)):
            raise Unsupported("blobs in between")
        if total.param.top[0] in total.param.bottom:
            raise Unsupported("a sum in place")
        slope = relu_slope(self.layers) or 0.0
        layouts = self.sum.prepare_in([bottoms[0]] * len(bottoms), shapes, wanted).layouts
        branch = Shapes(shapes.x[:1], shapes.x[:1], shapes.w)
        buffers = self.branch.prepare_in(bottoms[:1], branch, Wanted((True,), wanted.params)).buffers
        self.source, self.over = self.branch.source, [(1, 0)]
        self.relu = ReLUBackward(layouts.y[0].size(shapes.y[0]), slope)
        return Prepared(layouts, buffers)

    def bind(self, io: Arrays) -> None:
        x, dx, dy = io.x[0], io.dx, io.dy[0]
        self.branch.fed = self.fed
        self.own = Arrays([x], [x], io.w, dx[:1], [dy], io.dw, io.work, io.passes, io.changes)
        self.branch.bind(self.own)
        self.sum.bind(io)
        self.run_back = [self.relu.bind(io)]
        if (trunk := dx[1]) is not None and not np.shares_memory(trunk, dy):
            self.run_back.append(copy(dy, trunk))

    def forward(self, io: Arrays) -> None:
        self.branch.forward(self.own)
        self.sum.forward(io)

    def again(self, io: Arrays) -> None:
        self.branch.again(self.own)
        self.sum.forward(io)

    def backward(self, io: Arrays) -> None:
        for run in self.run_back:
            run()
        self.branch.backward(self.own)
