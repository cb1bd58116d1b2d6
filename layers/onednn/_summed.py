"""Eltwise SUM with the ReLU that follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from brew.cpu import onednn
from brew.cpu.onednn import Description, Operation
from brew.cpu.onednn.after import After
from brew.layer import Arrays, Prepared, Shapes, Unsupported, Wanted
from brew.layer.fused import Fused
from brew.layer.layout import PLAIN, Layout, Layouts
from brew.layers.eltwise import Eltwise

from ._convolved import plain_sum, relu_slope


class Summed(Fused):
    """Forward in one pass over two blobs. Backward is the layers' own."""

    both = False
    reads = frozenset()

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        slope = relu_slope(self.layers)
        if not plain_sum(cast(Eltwise, self.layers[0]), shapes) or slope is None or 0 in shapes.x[0]:
            raise Unsupported("only sums of two blobs")
        layout = next((layout for layout in bottoms if layout != PLAIN), bottoms[0])
        flat = Description((layout.size(shapes.y[0]),), "a")
        self.flat = flat
        self.add = Operation("binary", onednn.ADD, flat, flat, flat, attributes=After().relu(slope))
        return Prepared(Layouts((layout,) * len(shapes.x), (layout,)), {})

    def bind(self, io: Arrays) -> None:
        flat = self.flat
        self.run = self.add.bind(
            {onednn.SRC: (flat, io.x[0]), onednn.SRC_1: (flat, io.x[1]), onednn.DST: (flat, io.y[0])}
        )

    def forward(self, io: Arrays) -> None:
        self.run()
