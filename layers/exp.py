"""Exp: y = base ^ (shift + scale * x)."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Context
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA
from brew.ops.logarithm import natural_logarithm
from brew.proto.brew_pb2 import LayerParameter

_kernels = Kernels(r"""
template <typename T>
__global__ void exp_forward(long long n, const T* x, T* y, T factor, T offset) {
  FOR_EACH(i, n) { y[i] = exp(factor * x[i] + offset); }
}

template <typename T>
__global__ void exp_backward(long long n, const T* y, const T* dy, T* dx, T factor) {
  FOR_EACH(i, n) { dx[i] = factor * y[i] * dy[i]; }
}
""")


@register_layer
class Exp(Elementwise):
    """A power of a base, element by element.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Params   exp_param.base, default -1, which means e; else it must be greater than 0
             exp_param.scale, default 1; exp_param.shift, default 0
    Example  bottom: "x" top: "y" exp_param { base: 2 }

    May run in place: backward reads y only.
    """

    type = "Exp"
    reads = frozenset("y")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        exp = param.exp_param
        log_base = natural_logarithm(self, exp.base, "exp_param")
        self.factor, self.offset = log_base * exp.scale, log_base * exp.shift


@Exp.runs_on("cpu")
class _CPU(ElementwiseCPU[Exp]):
    def value(self, x: Array, y: Array, t: Array) -> None:
        np.multiply(x, self.layer.factor, out=y)
        np.add(y, self.layer.offset, out=y)
        np.exp(y, out=y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        np.multiply(y, self.layer.factor, out=t[0])
        np.multiply(t[0], dy, out=dx)


@Exp.runs_on("cuda")
class _CUDA(ElementwiseCUDA[Exp]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.exp_forward(x.size, x, y, self.layer.factor, self.layer.offset)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        _kernels.exp_backward(dx.size, y, dy, dx, self.layer.factor)
