"""TanH: y = tanh(x)."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA

_kernels = Kernels(r"""
template <typename T>
__global__ void tanh_forward(long long n, const T* x, T* y) {
  FOR_EACH(i, n) { y[i] = tanh(x[i]); }
}

template <typename T>
__global__ void tanh_backward(long long n, const T* y, const T* dy, T* dx) {
  FOR_EACH(i, n) { dx[i] = dy[i] * (1 - y[i] * y[i]); }
}
""")


@register_layer
class TanH(Elementwise):
    """The hyperbolic tangent, element by element.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Example  bottom: "x" top: "y"

    May run in place: backward reads y only.
    """

    type = "TanH"
    reads = frozenset("y")


@TanH.runs_on("cpu")
class _CPU(ElementwiseCPU[TanH]):
    def value(self, x: Array, y: Array, t: Array) -> None:
        np.tanh(x, out=y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        slope = np.multiply(y, y, out=t[0])
        np.subtract(1, slope, out=slope)
        np.multiply(slope, dy, out=dx)


@TanH.runs_on("cuda")
class _CUDA(ElementwiseCUDA[TanH]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.tanh_forward(x.size, x, y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        _kernels.tanh_backward(dx.size, y, dy, dx)
