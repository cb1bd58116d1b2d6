"""TanH: y = tanh(x)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Arrays, Buffer, Implementation, Layer, Shape, Shapes, Wanted
from brew.registry import register_layer

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
class TanH(Layer):
    """The hyperbolic tangent, element by element.

    Bottom   x   (any shape)
    Top      y   (the shape of x)

    May run in place: backward reads y only.
    """

    type = "TanH"
    in_place = True
    reads = frozenset("y")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [bottom[0]]


@TanH.runs_on("cpu")
class _CPU(Implementation[TanH]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        return {"slope": Buffer(shapes.y[0])} if wanted.backward else {}

    def forward(self, io: Arrays) -> None:
        np.tanh(io.x[0], out=io.y[0])

    def backward(self, io: Arrays) -> None:
        y, slope = io.y[0], io.work["slope"]
        np.multiply(y, y, out=slope)
        np.subtract(1, slope, out=slope)
        np.multiply(slope, io.dy[0], out=io.dx[0])


@TanH.runs_on("cuda")
class _CUDA(Implementation[TanH]):
    def forward(self, io: Arrays) -> None:
        _kernels.tanh_forward(io.x[0].size, io.x[0], io.y[0])

    def backward(self, io: Arrays) -> None:
        _kernels.tanh_backward(io.y[0].size, io.y[0], io.dy[0], io.dx[0])
