"""ReLU: y = x where x > 0, else negative_slope * x."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Context
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA
from brew.proto.brew_pb2 import LayerParameter

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
class ReLU(Elementwise):
    """Rectified linear unit, element by element.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Param    relu_param.negative_slope, default 0
    Example  bottom: "conv" top: "conv"

    May run in place: backward asks only for the sign of x, and a slope >= 0 leaves y that sign; with a slope < 0
    the layer keeps a copy of x.
    """

    type = "ReLU"
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.slope: float = param.relu_param.negative_slope
        self.sign_is_enough = self.slope >= 0


@ReLU.runs_on("cpu")
class _CPU(ElementwiseCPU[ReLU]):
    scratch = 2

    def value(self, x: Array, y: Array, t: Array) -> None:
        if self.layer.slope == 0:
            np.maximum(x, 0, out=y)
            return
        np.multiply(np.minimum(x, 0, out=t[0]), self.layer.slope, out=t[0])
        np.maximum(x, 0, out=y)
        np.add(y, t[0], out=y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        slope, side = t
        np.greater(x, 0, out=slope)
        if self.layer.slope != 0:
            np.multiply(np.less_equal(x, 0, out=side), self.layer.slope, out=side)
            np.add(slope, side, out=slope)
        np.multiply(slope, dy, out=dx)


@ReLU.runs_on("cuda")
class _CUDA(ElementwiseCUDA[ReLU]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.relu_forward(x.size, x, y, self.layer.slope)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        _kernels.relu_backward(dx.size, x, dy, dx, self.layer.slope)
