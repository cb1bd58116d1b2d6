"""ELU: y = x where x > 0, else alpha * (exp(x) - 1)."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Context
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA
from brew.proto.brew_pb2 import LayerParameter

_kernels = Kernels(r"""
template <typename T>
__global__ void elu_forward(long long n, const T* x, T* y, T alpha) {
  FOR_EACH(i, n) { y[i] = x[i] > 0 ? x[i] : alpha * expm1(x[i]); }
}

template <typename T>
__global__ void elu_backward(long long n, const T* y, const T* dy, T* dx, T alpha) {
  FOR_EACH(i, n) { dx[i] = y[i] > 0 ? dy[i] : dy[i] * (alpha + y[i]); }
}

template <typename T>
__global__ void elu_backward_from_x(long long n, const T* x, const T* dy, T* dx, T alpha) {
  FOR_EACH(i, n) { dx[i] = x[i] > 0 ? dy[i] : dy[i] * alpha * exp(x[i]); }
}
""")


@register_layer
class ELU(Elementwise):
    """Exponential linear unit (Clevert et al., 2016), element by element.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Param    elu_param.alpha, default 1
    Example  bottom: "x" top: "y" elu_param { alpha: 1 }

    May run in place: backward reads y only, or with alpha < 0, where y has not the sign of x, a copy of x.
    """

    type = "ELU"

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.alpha: float = param.elu_param.alpha
        self.reads = frozenset("x" if self.alpha < 0 else "y")


@ELU.runs_on("cpu")
class _CPU(ElementwiseCPU[ELU]):
    scratch = 2

    def value(self, x: Array, y: Array, t: Array) -> None:
        np.expm1(np.minimum(x, 0, out=t[0]), out=t[0])
        np.multiply(t[0], self.layer.alpha, out=t[0])
        np.maximum(x, 0, out=y)
        np.add(y, t[0], out=y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        alpha, (slope, side) = self.layer.alpha, t
        source = x if alpha < 0 else y
        np.minimum(source, 0, out=slope)
        if alpha < 0:
            np.multiply(np.exp(slope, out=slope), alpha, out=slope)
        else:
            np.add(slope, alpha, out=slope)
        np.multiply(slope, np.less_equal(source, 0, out=side), out=slope)
        np.add(slope, np.greater(source, 0, out=side), out=slope)
        np.multiply(slope, dy, out=dx)


@ELU.runs_on("cuda")
class _CUDA(ElementwiseCUDA[ELU]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.elu_forward(x.size, x, y, self.layer.alpha)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        if self.layer.alpha < 0:
            _kernels.elu_backward_from_x(dx.size, x, dy, dx, self.layer.alpha)
        else:
            _kernels.elu_backward(dx.size, y, dy, dx, self.layer.alpha)
