"""Sigmoid: y = 1 / (1 + exp(-x))."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA

_kernels = Kernels(r"""
template <typename T>
__global__ void sigmoid_forward(long long n, const T* x, T* y) {
  FOR_EACH(i, n) { y[i] = (T)0.5 * tanh((T)0.5 * x[i]) + (T)0.5; }
}

template <typename T>
__global__ void sigmoid_backward(long long n, const T* y, const T* dy, T* dx) {
  FOR_EACH(i, n) { dx[i] = dy[i] * y[i] * (1 - y[i]); }
}
""")


@register_layer
class Sigmoid(Elementwise):
    """The logistic function, element by element, as tanh(x / 2) / 2 + 1 / 2: nothing overflows.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Example  bottom: "x" top: "y"

    May run in place: backward reads y only.
    """

    type = "Sigmoid"
    reads = frozenset("y")


@Sigmoid.runs_on("cpu")
class _CPU(ElementwiseCPU[Sigmoid]):
    def value(self, x: Array, y: Array, t: Array) -> None:
        np.multiply(x, 0.5, out=y)
        np.tanh(y, out=y)
        np.multiply(y, 0.5, out=y)
        np.add(y, 0.5, out=y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        slope = np.subtract(1, y, out=t[0])
        np.multiply(slope, y, out=slope)
        np.multiply(slope, dy, out=dx)


@Sigmoid.runs_on("cuda")
class _CUDA(ElementwiseCUDA[Sigmoid]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.sigmoid_forward(x.size, x, y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        _kernels.sigmoid_backward(dx.size, y, dy, dx)
