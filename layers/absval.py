"""AbsVal: y = |x|."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA

_kernels = Kernels(r"""
template <typename T>
__global__ void absval_forward(long long n, const T* x, T* y) {
  FOR_EACH(i, n) { y[i] = fabs(x[i]); }
}

template <typename T>
__global__ void absval_backward(long long n, const T* x, const T* dy, T* dx) {
  FOR_EACH(i, n) { dx[i] = x[i] > 0 ? dy[i] : x[i] < 0 ? -dy[i] : T(0); }
}
""")


@register_layer
class AbsVal(Elementwise):
    """The absolute value, element by element; its gradient at 0 is 0.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Example  bottom: "x" top: "y"

    Not in place, as in Caffe.
    """

    type = "AbsVal"
    in_place = False
    reads = frozenset("x")


@AbsVal.runs_on("cpu")
class _CPU(ElementwiseCPU[AbsVal]):
    def value(self, x: Array, y: Array, t: Array) -> None:
        np.absolute(x, out=y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        np.multiply(np.sign(x, out=t[0]), dy, out=dx)


@AbsVal.runs_on("cuda")
class _CUDA(ElementwiseCUDA[AbsVal]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.absval_forward(x.size, x, y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        _kernels.absval_backward(dx.size, x, dy, dx)
