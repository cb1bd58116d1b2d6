"""ReLU: y = x where x > 0, else negative_slope * x."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Arrays, Context, Implementation, Layer, Shape
from brew.proto.brew_pb2 import LayerParameter
from brew.registry import register_layer

_kernels = Kernels(r"""
template <typename T>
__global__ void relu_forward(long long n, const T* x, T* y, T slope) {
  FOR_EACH(i, n) { y[i] = x[i] > 0 ? x[i] : slope * x[i]; }
}

template <typename T>
__global__ void relu_backward(long long n, const T* x, const T* dy, T* dx, T slope) {
  FOR_EACH(i, n) { dx[i] = x[i] > 0 ? dy[i] : slope * dy[i]; }
}
""")


@register_layer
class ReLU(Layer):
    """Rectified linear unit, element by element.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Param    relu_param.negative_slope, default 0

    May run in place: backward asks only for the sign of x, and a slope >= 0 leaves y that sign.
    """

    type = "ReLU"
    in_place = True
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.slope: float = param.relu_param.negative_slope

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [bottom[0]]


@ReLU.runs_on("cpu")
class _CPU(Implementation[ReLU]):
    def forward(self, io: Arrays) -> None:
        x, y, slope = io.x[0], io.y[0], self.layer.slope
        if slope == 0:
            np.maximum(x, 0, out=y)
        else:
            np.multiply(x, np.where(x > 0, x.dtype.type(1), x.dtype.type(slope)), out=y)

    def backward(self, io: Arrays) -> None:
        x, dy, dx, slope = io.x[0], io.dy[0], io.dx[0], self.layer.slope
        if slope == 0:
            np.multiply(dy, x > 0, out=dx)
        else:
            np.multiply(dy, np.where(x > 0, x.dtype.type(1), x.dtype.type(slope)), out=dx)


@ReLU.runs_on("cuda")
class _CUDA(Implementation[ReLU]):
    def forward(self, io: Arrays) -> None:
        _kernels.relu_forward(io.x[0].size, io.x[0], io.y[0], self.layer.slope)

    def backward(self, io: Arrays) -> None:
        _kernels.relu_backward(io.x[0].size, io.x[0], io.dy[0], io.dx[0], self.layer.slope)
