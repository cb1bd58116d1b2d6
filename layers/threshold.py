"""Threshold: y = 1 where x > threshold, else 0."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Context
from brew.layer.registry import register_layer
from brew.ops.elementwise import Elementwise, ElementwiseCPU, ElementwiseCUDA
from brew.proto.brew_pb2 import LayerParameter

_kernels = Kernels(r"""
template <typename T>
__global__ void threshold_forward(long long n, const T* x, T* y, T threshold) {
  FOR_EACH(i, n) { y[i] = x[i] > threshold ? 1 : 0; }
}
""")


@register_layer
class Threshold(Elementwise):
    """Tells which elements lie above a threshold.

    Bottom   x   (any shape)
    Top      y   (the shape of x)
    Param    threshold_param.threshold, default 0
    Example  bottom: "x" top: "y" threshold_param { threshold: 0.5 }

    No gradient. May run in place.
    """

    type = "Threshold"
    reads = frozenset()
    no_gradient = frozenset({0})

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.threshold: float = param.threshold_param.threshold


@Threshold.runs_on("cpu")
class _CPU(ElementwiseCPU[Threshold]):
    def value(self, x: Array, y: Array, t: Array) -> None:
        np.greater(x, self.layer.threshold, out=y)


@Threshold.runs_on("cuda")
class _CUDA(ElementwiseCUDA[Threshold]):
    def value(self, x: Array, y: Array) -> None:
        _kernels.threshold_forward(x.size, x, y, self.layer.threshold)
