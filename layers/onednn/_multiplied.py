"""InnerProduct with the ReLU that follows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ctypes import c_float
from typing import cast

from brew import onednn
from brew.fused import Fused, fuses
from brew.layer import Arrays, Buffer, Layer, Shapes, Wanted
from brew.layers.inner_product import InnerProduct
from brew.layout import Layout, Layouts
from brew.onednn import Description, Operation
from brew.onednn_after import After

from ._convolved import relu_slope
from .inner_product import InnerProductOneDNN


@fuses("InnerProduct", "ReLU")
class Rectified(Fused):
    """In place or, without backward, not: backward finds the mask in the top, as the layers themselves do."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(layers)
        self.product = InnerProductOneDNN(cast(InnerProduct, layers[0]))

    def layouts(self, shapes: Shapes, bottoms: Sequence[Layout], wanted: Wanted) -> Layouts:
        return self.product.layouts(shapes, bottoms, wanted)

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        slope = relu_slope(self.layers)
        assert slope is not None
        buffers = self.product.prepare(shapes, wanted, After().relu(slope))
        self.backward_op = None
        if wanted.backward:
            row = self.row = Description((self.product.rows * self.product.outputs,), "a")
            numbers = (c_float(slope), c_float(0))
            kind, algorithm = onednn.FORWARD_TRAINING, onednn.RELU_FROM_TOP
            hint = Operation("eltwise_forward", kind, algorithm, row, row, *numbers)
            self.backward_op = Operation("eltwise_backward", algorithm, row, row, row, *numbers, hint=hint)
        return buffers

    def bind(self, io: Arrays) -> None:
        self.product.bind(io)
        if self.backward_op is not None:
            gradient = (self.row, io.dy[0])
            self.mask = self.backward_op.bind(
                {onednn.DST: (self.row, io.y[0]), onednn.DIFF_DST: gradient, onednn.DIFF_SRC: gradient}
            )

    def forward(self, io: Arrays) -> None:
        self.product.forward(io)

    def backward(self, io: Arrays) -> None:
        self.mask()
        self.product.backward(io)
