"""MultinomialLogisticLoss: the negative log of the probability given to the right class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.cuda import Kernels
from brew.layer import Arrays, Buffer, Implementation, Layer, Shape, Shapes, Wanted, count, exactly
from brew.layer.registry import register_layer
from brew.ops.fold import Fold
from brew.ops.labels import LABEL_OF, class_indices
from brew.ops.reduction import partial_sums, sum_outside

_LEAST = 1e-20  # a smaller probability counts as this

_kernels = Kernels(
    LABEL_OF
    + r"""
template <typename T>
__global__ void multinomial_loss(long long n, const T* x, const T* label, T* loss, long long dim, T least) {
  FOR_EACH(i, n) {
    long long c = label_of(label[i]);
    bool known = c >= 0 && c < dim;
    T value = known ? x[i * dim + c] : (T)nanf("");
    loss[i] = -log(value < least ? least : value);
  }
}

// One thread per item: dx is zero but at the labels.
template <typename T>
__global__ void multinomial_backward(long long n, const T* x, const T* label, const T* dy, T* dx, long long dim,
                                     T least, T scale) {
  FOR_EACH(i, n) {
    long long c = label_of(label[i]);
    if (c < 0 || c >= dim) {
      dx[i * dim] = (T)nanf("");
    } else {
      T value = x[i * dim + c];
      dx[i * dim + c] = -dy[0] * scale / (value < least ? least : value);
    }
  }
}
"""
)


@register_layer
class MultinomialLogisticLoss(Layer):
    """loss = -sum of log(max(x[label], 1e-20)) / N, on probabilities; 0 for an empty batch.

    Bottoms  x       (N x ..., C elements in each item: probabilities, from a Softmax say)
             label   (N), cast to int; no gradient
    Top      loss    (scalar)
    Example  bottom: "probability" bottom: "label" top: "loss"

    SoftmaxWithLoss does the same on scores, and more stably. A label that is no class is a DataError on the CPU; on
    CUDA it makes the loss and a gradient of its item NaN, which stops a training.
    """

    type = "MultinomialLogisticLoss"
    bottoms = exactly(2)
    reads = frozenset("x")
    no_gradient = frozenset({1})
    least_probability = _LEAST
    is_loss = True
    labels_are_classes = True

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        x, label = bottom
        if not x or not count(x[1:]) or count(label) != x[0]:
            raise self.shape_error("probabilities of N items, at least one for each, and N labels", bottom)
        return [()]


class _Loss(Implementation[MultinomialLogisticLoss]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.items, self.dim = shapes.x[0][0], count(shapes.x[0][1:])
        self.scale = 1 / max(1, self.items)
        return {}


@MultinomialLogisticLoss.runs_on("cpu")
class _CPU(_Loss):
    def bind(self, io: Arrays) -> None:
        self.rows = np.arange(self.items)  # here: `prepare` takes no memory for a net that is only looked at

    def forward(self, io: Arrays) -> None:
        right = io.x[0].reshape(self.items, self.dim)[self.rows, self._labels(io)]
        io.y[0][...] = -np.log(np.maximum(right, _LEAST)).sum() * self.scale

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        label, dx = self._labels(io), io.dx[0].reshape(self.items, self.dim)
        right = io.x[0].reshape(dx.shape)[self.rows, label]
        dx[...] = 0
        dx[self.rows, label] = -self.scale * io.dy[0] / np.maximum(right, _LEAST)

    def _labels(self, io: Arrays) -> np.ndarray[tuple[int, ...], np.dtype[np.intp]]:
        return class_indices(self.layer, io.x[1].reshape(-1), self.dim, None)[0]


@MultinomialLogisticLoss.runs_on("cuda")
class _CUDA(_Loss):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        super().prepare(shapes, wanted)
        self.fold = Fold(self.items, 1, 1)
        return {"loss": Buffer((self.items,)), "partial": partial_sums(self.fold)}

    def forward(self, io: Arrays) -> None:
        loss = io.work["loss"]
        _kernels.multinomial_loss(self.items, io.x[0], io.x[1], loss, self.dim, _LEAST)
        sum_outside(loss, io.y[0].reshape(1), io.work["partial"], self.fold, scale=self.scale)

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            cuda.zero(dx)
            _kernels.multinomial_backward(self.items, io.x[0], io.x[1], io.dy[0], dx, self.dim, _LEAST, self.scale)
