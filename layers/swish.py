"""Swish: y = x * sigmoid(beta * x)."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Context
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA
from brew.proto.brew_pb2 import LayerParameter

_kernels = Kernels(r"""
template <typename T>
__device__ T swish_sigmoid(T x) {
  return (T)0.5 * tanh((T)0.5 * x) + (T)0.5;
}

template <typename T>
__global__ void swish_forward(long long n, const T* x, T* y, T beta) {
  FOR_EACH(i, n) { y[i] = x[i] * swish_sigmoid(beta * x[i]); }
}

template <typename T>
__global__ void swish_backward(long long n, const T* x, const T* dy, T* dx, T beta) {
  FOR_EACH(i, n) {
    T s = swish_sigmoid(beta * x[i]);
    dx[i] = dy[i] * s * (1 + beta * x[i] * (1 - s));
  }
}
""")


@register_layer
class Swish(Elementwise):
    """Swish (Ramachandran et al., 2017), element by element; beta is not learned.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Param    swish_param.beta, default 1
    Example  bottom: "x" top: "y" swish_param { beta: 1 }

    May run in place; the layer then keeps a copy of x.
    """

    type = "Swish"
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.beta: float = param.swish_param.beta


@Swish.runs_on("cpu")
class _CPU(ElementwiseCPU[Swish]):
    scratch = 2

    def value(self, x: Array, y: Array, t: Array) -> None:
        self._sigmoid(x, t[0])
        np.multiply(x, t[0], out=y)

    def _sigmoid(self, x: Array, out: Array) -> None:
        np.multiply(x, 0.5 * self.layer.beta, out=out)
        np.tanh(out, out=out)
        np.multiply(out, 0.5, out=out)
        np.add(out, 0.5, out=out)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        s, slope = t  # slope = s * (1 + beta * x * (1 - s))
        self._sigmoid(x, s)
        np.subtract(1, s, out=slope)
        np.multiply(slope, x, out=slope)
        np.multiply(slope, self.layer.beta, out=slope)
        np.add(slope, 1, out=slope)
        np.multiply(slope, s, out=slope)
        np.multiply(slope, dy, out=dx)


@Swish.runs_on("cuda")
class _CUDA(ElementwiseCUDA[Swish]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.swish_forward(x.size, x, y, self.layer.beta)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        _kernels.swish_backward(dx.size, x, dy, dx, self.layer.beta)
