"""Log: y = log(shift + scale * x), to a base."""

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
__global__ void log_forward(long long n, const T* x, T* y, T scale, T shift, T factor) {
  FOR_EACH(i, n) { y[i] = factor * log(scale * x[i] + shift); }
}

template <typename T>
__global__ void log_backward(long long n, const T* x, const T* dy, T* dx, T scale, T shift, T factor) {
  FOR_EACH(i, n) { dx[i] = factor * scale / (scale * x[i] + shift) * dy[i]; }
}
""")


@register_layer
class Log(Elementwise):
    """A logarithm, element by element. Where shift + scale * x is 0 it is -inf, and below 0 NaN.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Params   log_param.base, default -1, which means e; else it must be greater than 0, and not 1
             log_param.scale, default 1; log_param.shift, default 0
    Example  bottom: "x" top: "y" log_param { base: 10 }

    May run in place; the layer then keeps a copy of x.
    """

    type = "Log"
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        log = param.log_param
        log_base = natural_logarithm(self, log.base, "log_param")
        if log_base == 0:
            raise self.error("base must not be 1", "log_param", "base")
        self.scale: float = log.scale
        self.shift: float = log.shift
        self.factor = 1 / log_base


@Log.runs_on("cpu")
class _CPU(ElementwiseCPU[Log]):
    def value(self, x: Array, y: Array, t: Array) -> None:
        np.multiply(x, self.layer.scale, out=y)
        np.add(y, self.layer.shift, out=y)
        np.log(y, out=y)
        np.multiply(y, self.layer.factor, out=y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        np.multiply(x, self.layer.scale, out=t[0])
        np.add(t[0], self.layer.shift, out=t[0])
        np.divide(self.layer.factor * self.layer.scale, t[0], out=t[0])
        np.multiply(t[0], dy, out=dx)


@Log.runs_on("cuda")
class _CUDA(ElementwiseCUDA[Log]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.log_forward(x.size, x, y, self.layer.scale, self.layer.shift, self.layer.factor)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        _kernels.log_backward(dx.size, x, dy, dx, self.layer.scale, self.layer.shift, self.layer.factor)
