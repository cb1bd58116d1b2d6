"""BNLL: y = log(1 + exp(x))."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA

_kernels = Kernels(r"""
template <typename T>
__global__ void bnll_forward(long long n, const T* x, T* y) {
  FOR_EACH(i, n) { y[i] = (x[i] > 0 ? x[i] : T(0)) + log1p(exp(-fabs(x[i]))); }
}

template <typename T>
__global__ void bnll_backward(long long n, const T* x, const T* dy, T* dx) {
  FOR_EACH(i, n) {
    T e = exp(x[i] < 50 ? x[i] : T(50));
    dx[i] = dy[i] * (e / (e + 1));
  }
}
""")


@register_layer
class BNLL(Elementwise):
    """Binomial normal log likelihood, also called softplus, element by element; nothing overflows.

    Bottom   x   (any shape)
    Top      y   (the shape of x) = max(x, 0) + log(1 + exp(-|x|))
    Example  bottom: "x" top: "y"

    The gradient is e / (1 + e) for e = exp(min(x, 50)). May run in place; the layer then keeps a copy of x.
    """

    type = "BNLL"
    reads = frozenset("x")


@BNLL.runs_on("cpu")
class _CPU(ElementwiseCPU[BNLL]):
    scratch = 2

    def value(self, x: Array, y: Array, t: Array) -> None:
        np.absolute(x, out=t[0])
        np.negative(t[0], out=t[0])
        np.exp(t[0], out=t[0])
        np.log1p(t[0], out=t[0])
        np.maximum(x, 0, out=y)
        np.add(y, t[0], out=y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        e, sum_ = t
        np.exp(np.minimum(x, 50, out=e), out=e)
        np.divide(e, np.add(e, 1, out=sum_), out=e)
        np.multiply(e, dy, out=dx)


@BNLL.runs_on("cuda")
class _CUDA(ElementwiseCUDA[BNLL]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.bnll_forward(x.size, x, y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        _kernels.bnll_backward(dx.size, x, dy, dx)
