"""HingeLoss: every class against all other classes, with a margin of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Implementation, Layer, Shape, Shapes, Wanted, count, exactly
from brew.layer.registry import register_layer
from brew.ops.fold import Fold
from brew.ops.labels import LABEL_OF, class_indices
from brew.ops.reduction import dot_outside, partial_sums, sum_outside
from brew.proto.brew_pb2 import HingeLossParameter

_kernels = Kernels(
    LABEL_OF
    + r"""
// How far element i falls short of the margin; NaN where the item's label is no class.
template <typename T>
__device__ T shortfall(const T* x, const T* label, long long i, long long dim) {
  long long c = label_of(label[i / dim]);
  if (c < 0 || c >= dim) return (T)nanf("");
  T value = 1 + (c == i % dim ? -x[i] : x[i]);
  return value < 0 ? T(0) : value;
}

template <typename T>
__global__ void hinge_shortfall(long long n, const T* x, const T* label, T* out, long long dim) {
  FOR_EACH(i, n) { out[i] = shortfall(x, label, i, dim); }
}

template <typename T>
__global__ void hinge_backward(long long n, const T* x, const T* label, const T* dy, T* dx, long long dim,
                               bool squared, T scale) {
  FOR_EACH(i, n) {
    T value = shortfall(x, label, i, dim);
    T slope = squared ? 2 * value : value > 0 ? T(1) : value;
    dx[i] = dy[0] * scale * (label_of(label[i / dim]) == i % dim ? -slope : slope);
  }
}
"""
)


@register_layer
class HingeLoss(Layer):
    """loss = sum of m / N, or of m^2 / N, with m = max(0, 1 - t x); 0 for an empty batch.

    Bottoms  x       (N x ..., scores, C elements in each item); t is 1 at the label's element, else -1
             label   (N), cast to int; no gradient
    Top      loss    (scalar)
    Param    hinge_loss_param.norm: L1 (default) sums m, L2 its square
    Example  bottom: "scores" bottom: "label" top: "loss" hinge_loss_param { norm: L2 }

    A label that is no class is a DataError on the CPU; on CUDA it makes the loss and its item's gradient NaN, which
    stops a training.
    """

    type = "HingeLoss"
    bottoms = exactly(2)
    reads = frozenset("x")
    no_gradient = frozenset({1})
    is_loss = True
    labels_are_classes = True

    @property
    def squared(self) -> bool:
        return self.param.hinge_loss_param.norm == HingeLossParameter.L2

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        x, label = bottom
        if not x or not count(x[1:]) or count(label) != x[0]:
            raise self.shape_error("scores of N items, at least one for each, and N labels", bottom)
        return [()]


class _Hinge(Implementation[HingeLoss]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.items, self.dim = shapes.x[0][0], count(shapes.x[0][1:])
        self.scale = 1 / max(1, self.items)
        self.squared = self.layer.squared
        return {"shortfall": Buffer((self.items, self.dim))}


@HingeLoss.runs_on("cpu")
class _CPU(_Hinge):
    def bind(self, io: Arrays) -> None:
        self.rows = np.arange(self.items)  # here: `prepare` takes no memory for a net that is only looked at

    def forward(self, io: Arrays) -> None:
        shortfall = io.work["shortfall"]
        self._shortfall(io, shortfall)
        flat = shortfall.reshape(-1)
        io.y[0][...] = (np.dot(flat, flat) if self.squared else flat.sum()) * self.scale

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        dx = io.dx[0].reshape(self.items, self.dim)
        label = self._shortfall(io, dx)
        scale = io.dy[0] * dx.dtype.type(self.scale)
        if self.squared:
            np.multiply(dx, 2 * scale, out=dx)
        else:
            np.greater(dx, 0, out=dx)
            np.multiply(dx, scale, out=dx)
        dx[self.rows, label] *= -1

    def _shortfall(self, io: Arrays, out: Array) -> Array:
        """out = m of all elements; the labels."""
        label, _ = class_indices(self.layer, io.x[1].reshape(-1), self.dim, None)
        np.copyto(out, io.x[0].reshape(out.shape))
        out[self.rows, label] *= -1
        np.add(out, 1, out=out)
        np.maximum(out, 0, out=out)
        return label


@HingeLoss.runs_on("cuda")
class _CUDA(_Hinge):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        self.fold = Fold(self.items * self.dim, 1, 1)
        return {**buffers, "partial": partial_sums(self.fold)}

    def forward(self, io: Arrays) -> None:
        shortfall, partial, loss = io.work["shortfall"], io.work["partial"], io.y[0].reshape(1)
        _kernels.hinge_shortfall(shortfall.size, io.x[0], io.x[1], shortfall, self.dim)
        if self.squared:
            dot_outside(shortfall, shortfall, loss, partial, self.fold, scale=self.scale)
        else:
            sum_outside(shortfall, loss, partial, self.fold, scale=self.scale)

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            _kernels.hinge_backward(dx.size, io.x[0], io.x[1], io.dy[0], dx, self.dim, self.squared, self.scale)
