"""Clip: y = x held between min and max."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Context
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA
from brew.proto.brew_pb2 import LayerParameter

_kernels = Kernels(r"""
template <typename T>
__global__ void clip_forward(long long n, const T* x, T* y, T least, T most) {
  FOR_EACH(i, n) {
    T value = x[i] > most ? most : x[i];
    y[i] = value < least ? least : value;
  }
}

template <typename T>
__global__ void clip_backward(long long n, const T* x, const T* dy, T* dx, T least, T most) {
  FOR_EACH(i, n) { dx[i] = x[i] >= least && x[i] <= most ? dy[i] : T(0); }
}
""")


@register_layer
class Clip(Elementwise):
    """Holds every element between two bounds; the gradient passes where min <= x <= max.

    Bottom   x   (any shape)
    Top      y   (the shape of x) = max(min(x, clip_param.max), clip_param.min)
    Params   clip_param.min, clip_param.max; both must be given
    Example  bottom: "x" top: "y" clip_param { min: 0 max: 6 }

    NaN stays NaN. May run in place; the layer then keeps a copy of x.
    """

    type = "Clip"
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        for bound in ("min", "max"):
            if not param.clip_param.HasField(bound):
                raise self.error(f"needs clip_param.{bound}", "clip_param")
        self.bounds = (param.clip_param.min, param.clip_param.max)


@Clip.runs_on("cpu")
class _CPU(ElementwiseCPU[Clip]):
    scratch = 2

    def value(self, x: Array, y: Array, t: Array) -> None:
        least, most = self.layer.bounds
        np.minimum(x, most, out=y)
        np.maximum(y, least, out=y)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array, t: Array) -> None:
        least, most = self.layer.bounds
        np.greater_equal(x, least, out=t[0])
        np.less_equal(x, most, out=t[1])
        np.multiply(t[0], t[1], out=t[0])
        np.multiply(t[0], dy, out=dx)


@Clip.runs_on("cuda")
class _CUDA(ElementwiseCUDA[Clip]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.clip_forward(x.size, x, y, *self.layer.bounds)

    def gradient(self, x: Array, y: Array, dy: Array, dx: Array) -> None:
        _kernels.clip_backward(dx.size, x, dy, dx, *self.layer.bounds)
