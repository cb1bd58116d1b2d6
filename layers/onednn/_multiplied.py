"""InnerProduct with the ReLU that follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from brew.cpu.onednn.after import After
from brew.layer import Arrays, Layer, Prepared, Shapes, Wanted
from brew.layer.fused import Fused
from brew.layer.layout import Layout
from brew.layers.inner_product import InnerProduct

from ._convolved import ReLUBackward, relu_slope
from .inner_product import InnerProductOneDNN


class Rectified(Fused):
    """In place or, without backward, not: backward finds the mask in the top, as the layers themselves do."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(layers)
        self.product = InnerProductOneDNN(cast(InnerProduct, layers[0]))

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        slope = relu_slope(self.layers)
        assert slope is not None
        prepared = self.product.prepare_in(bottoms, shapes, wanted, After().relu(slope))
        size = self.product.rows * self.product.outputs
        self.relu = ReLUBackward(size, slope) if wanted.backward else None
        return prepared

    def bind(self, io: Arrays) -> None:
        self.product.bind(io)
        if self.relu is not None:
            self.mask = self.relu.bind(io)

    def forward(self, io: Arrays) -> None:
        self.product.forward(io)

    def backward(self, io: Arrays) -> None:
        self.mask()
        self.product.backward(io)
