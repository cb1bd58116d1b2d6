"""Sigmoid: y = 1 / (1 + exp(-x))."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Arrays, Buffer, Implementation, Layer, Shape, Shapes, Wanted
from brew.registry import register_layer

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
class Sigmoid(Layer):
    """The logistic function, element by element, as tanh(x / 2) / 2 + 1 / 2: nothing overflows.

    Bottom   x   (any shape)
    Top      y   (the shape of x)

    May run in place: backward reads y only.
    """

    type = "Sigmoid"
    in_place = True
    reads = frozenset("y")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [bottom[0]]


@Sigmoid.runs_on("cpu")
class _CPU(Implementation[Sigmoid]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        return {"slope": Buffer(shapes.y[0])} if wanted.backward else {}

    def forward(self, io: Arrays) -> None:
        y = io.y[0]
        np.multiply(io.x[0], 0.5, out=y)
        np.tanh(y, out=y)
        np.multiply(y, 0.5, out=y)
        np.add(y, 0.5, out=y)

    def backward(self, io: Arrays) -> None:
        y, slope = io.y[0], io.work["slope"]
        np.subtract(1, y, out=slope)
        np.multiply(slope, y, out=slope)
        np.multiply(slope, io.dy[0], out=io.dx[0])


@Sigmoid.runs_on("cuda")
class _CUDA(Implementation[Sigmoid]):
    def forward(self, io: Arrays) -> None:
        _kernels.sigmoid_forward(io.x[0].size, io.x[0], io.y[0])

    def backward(self, io: Arrays) -> None:
        _kernels.sigmoid_backward(io.y[0].size, io.y[0], io.dy[0], io.dx[0])
