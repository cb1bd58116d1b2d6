"""InnerProduct: y = x Wᵀ + b, the fully connected layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Param, Shape, Shapes, Wanted, count
from brew.layer.registry import register_layer
from brew.ops.accumulate import add_matmul, scratch_shape
from brew.ops.bias import add_bias_cuda, add_bias_gradient_cuda
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class InnerProduct(Layer):
    """Every output a weighted sum of all inputs from `axis` on.

    Bottom   x   (axes before `axis`..., K elements in the axes from it on)
    Top      y   (axes before `axis`..., num_output)
    Params   W   (num_output, K); (K, num_output) with `transpose`
             b   (num_output), unless bias_term is false
    Param    inner_product_param: num_output, bias_term (true), weight_filler, bias_filler, axis (1),
             transpose (false)
    Example  bottom: "x" top: "y" inner_product_param { num_output: 10 weight_filler { type: "xavier" } }
    """

    type = "InnerProduct"
    weights_in = "inner_product_param"
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.own = param.inner_product_param
        if self.own.num_output < 1:
            hint = "the number of outputs: of the last layer before a loss, the number of classes"
            raise self.error("num_output must be at least 1", "inner_product_param", "num_output", hint=hint)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [(*bottom[0][: self.first_axis(bottom[0])], self.own.num_output)]

    def first_axis(self, bottom: Shape) -> int:
        """The first axis that is summed over."""
        return self.axis(self.own.axis, len(bottom), "inner_product_param", "axis")

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        outputs, inputs = self.own.num_output, count(bottom[0][self.first_axis(bottom[0]) :])
        shape = (inputs, outputs) if self.own.transpose else (outputs, inputs)
        params = [Param(shape, self.own.weight_filler), Param((outputs,), self.own.bias_filler)]
        return params if self.own.bias_term else params[:1]

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return count(bottom[0]) * self.own.num_output


class _Matrices(Implementation[InnerProduct]):
    """The base for both devices: bottoms and tops seen as matrices."""

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        axis = self.layer.first_axis(shapes.x[0])
        self.rows, self.inputs = count(shapes.x[0][:axis]), count(shapes.x[0][axis:])
        return {}

    def x_like(self, blob: Array) -> Array:
        return blob.reshape(self.rows, self.inputs)

    def y_like(self, blob: Array) -> Array:
        return blob.reshape(self.rows, self.layer.own.num_output)


@InnerProduct.runs_on("cpu")
class _CPU(_Matrices):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        super().prepare(shapes, wanted)
        return {"product": Buffer(scratch_shape(shapes.w[0]))} if wanted.params[0] else {}

    def forward(self, io: Arrays) -> None:
        x, y, w = self.x_like(io.x[0]), self.y_like(io.y[0]), io.w[0]
        np.matmul(x, w if self.layer.own.transpose else w.T, out=y)
        if len(io.w) > 1:
            y += io.w[1]

    def backward(self, io: Arrays) -> None:
        x, dy, w = self.x_like(io.x[0]), self.y_like(io.dy[0]), io.w[0]
        if io.dx[0] is not None:
            np.matmul(dy, w.T if self.layer.own.transpose else w, out=self.x_like(io.dx[0]))
        if io.dw[0] is not None:
            left, right = (x, dy) if self.layer.own.transpose else (dy, x)
            add_matmul(left.T, right, io.dw[0], io.work["product"])
        if len(io.dw) > 1 and io.dw[1] is not None:
            io.dw[1] += dy.sum(axis=0)


@InnerProduct.runs_on("cuda")
class _CUDA(_Matrices):
    def forward(self, io: Arrays) -> None:
        x, y = self.x_like(io.x[0]), self.y_like(io.y[0])
        cuda.gemm(x, io.w[0], y, trans_b=not self.layer.own.transpose)
        if len(io.w) > 1:
            add_bias_cuda(y[:, :, None], io.w[1])

    def backward(self, io: Arrays) -> None:
        x, dy, w = self.x_like(io.x[0]), self.y_like(io.dy[0]), io.w[0]
        if io.dx[0] is not None:
            cuda.gemm(dy, w, self.x_like(io.dx[0]), trans_b=self.layer.own.transpose)
        if io.dw[0] is not None:
            left, right = (x, dy) if self.layer.own.transpose else (dy, x)
            cuda.gemm(left, right, io.dw[0], trans_a=True, beta=1.0)
        if len(io.dw) > 1 and io.dw[1] is not None:
            add_bias_gradient_cuda(dy[:, :, None], io.dw[1])
