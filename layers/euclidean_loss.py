"""EuclideanLoss: half the mean squared distance per item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Arrays, Buffer, Implementation, Layer, Shape, Shapes, Wanted, count, exactly
from brew.layer.registry import register_layer
from brew.ops.fold import Fold
from brew.ops.reduction import dot_outside, partial_sums

_kernels = Kernels(r"""
template <typename T>
__global__ void euclidean_difference(long long n, const T* a, const T* b, T* difference) {
  FOR_EACH(i, n) { difference[i] = a[i] - b[i]; }
}

template <typename T>
__global__ void euclidean_backward(long long n, const T* a, const T* b, const T* dy, T* dx, T scale) {
  FOR_EACH(i, n) { dx[i] = scale * dy[0] * (a[i] - b[i]); }
}
""")


@register_layer
class EuclideanLoss(Layer):
    """loss = sum of (a - b)^2 / (2 N), N the first axis; 0 for an empty batch.

    Bottoms  a, b   (N x ..., of one shape); both get a gradient, (a - b) / N and its negative
    Top      loss   (scalar)
    Example  bottom: "y" bottom: "target" top: "loss"
    """

    type = "EuclideanLoss"
    bottoms = exactly(2)
    reads = frozenset("x")
    is_loss = True

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        a, b = bottom
        if not a or not b or a[0] != b[0] or count(a[1:]) != count(b[1:]):
            raise self.shape_error("two bottoms with as many items of one size", bottom)
        return [()]


class _Euclidean(Implementation[EuclideanLoss]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.items = max(1, shapes.x[0][0])
        size = count(shapes.x[0])
        self.fold = Fold(size, 1, 1)
        return {"difference": Buffer((size,)), "partial": partial_sums(self.fold)}


@EuclideanLoss.runs_on("cpu")
class _CPU(_Euclidean):
    def forward(self, io: Arrays) -> None:
        difference = io.work["difference"]
        np.subtract(io.x[0].reshape(-1), io.x[1].reshape(-1), out=difference)
        io.y[0][...] = np.dot(difference, difference) / (2 * self.items)

    def backward(self, io: Arrays) -> None:
        scale = io.dy[0] / io.dy[0].dtype.type(self.items)
        for i, sign in ((0, 1), (1, -1)):
            if (dx := io.dx[i]) is not None:
                flat = dx.reshape(-1)
                np.subtract(io.x[0].reshape(-1), io.x[1].reshape(-1), out=flat)
                np.multiply(flat, sign * scale, out=flat)


@EuclideanLoss.runs_on("cuda")
class _CUDA(_Euclidean):
    def forward(self, io: Arrays) -> None:
        difference = io.work["difference"]
        _kernels.euclidean_difference(difference.size, io.x[0], io.x[1], difference)
        loss = io.y[0].reshape(1)
        dot_outside(difference, difference, loss, io.work["partial"], self.fold, scale=0.5 / self.items)

    def backward(self, io: Arrays) -> None:
        for i, sign in ((0, 1), (1, -1)):
            if (dx := io.dx[i]) is not None:
                _kernels.euclidean_backward(dx.size, io.x[0], io.x[1], io.dy[0], dx, sign / self.items)
