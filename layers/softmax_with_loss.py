"""SoftmaxWithLoss: the multinomial logistic loss of a softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.cuda import Kernels
from brew.layer import (
    Array,
    Arrays,
    Buffer,
    Context,
    Implementation,
    Layer,
    Shape,
    Shapes,
    Wanted,
    between,
    exactly,
)
from brew.ops.fold import Fold, fold
from brew.ops.labels import LABEL_OF, NO_LABEL, check_labels, class_indices
from brew.ops.loss import finish_cuda, normalization, normalizer
from brew.ops.reduction import parts
from brew.ops.softmax import softmax, softmax_cuda
from brew.proto.brew_pb2 import LayerParameter
from brew.registry import register_layer

_LEAST = np.finfo(np.float32).tiny  # below it a probability counts as this: a loss of 87.3365 at most

_kernels = Kernels(
    LABEL_OF
    + r"""
// The losses and the number of labels that count, summed over part p of the items.
template <typename T>
__global__ void softmax_loss_part(long long n, const T* probability, const T* label, T* loss, long long* valid,
                                  long long items, long long dim, long long inner, long long ignore, T least) {
  FOR_EACH_BLOCK(p, n) {
    T sum = 0;
    long long counted = 0;
    for (long long i = p * items / n + threadIdx.x; i < (p + 1) * items / n; i += blockDim.x) {
      long long c = label_of(label[i]);
      if (c == ignore) continue;
      ++counted;
      if (c < 0 || c >= dim) {
        sum += (T)nanf("");
      } else {
        T value = probability[(i / inner * dim + c) * inner + i % inner];
        sum -= log(value < least ? least : value);
      }
    }
    sum = block_sum(sum);
    counted = block_sum(counted);
    if (threadIdx.x == 0) {
      loss[p] = sum;
      valid[p] = counted;
    }
  }
}

template <typename T>
__global__ void softmax_loss_backward(long long n, const T* probability, const T* label, const T* dy,
                                      const T* divisor, T* dx, long long dim, long long inner, long long ignore) {
  FOR_EACH(i, n) {
    long long d = i / inner % dim;
    long long c = label_of(label[i / (dim * inner) * inner + i % inner]);
    T scale = dy[0] / divisor[0];
    if (c == ignore) dx[i] = 0;
    else if (c < 0 || c >= dim) dx[i] = (T)nanf("");
    else dx[i] = scale * (probability[i] - (c == d ? 1 : 0));
  }
}
"""
)


@register_layer
class SoftmaxWithLoss(Layer):
    """loss = -sum of log(softmax(x)[label]) / Z, over all positions whose label is not ignored.

    Bottoms  x       (... x C x ..., scores; C along the axis)
             label   (one number per position: as many as x has without the axis), cast to int; no gradient
    Tops     loss    (scalar), and perhaps the probabilities (the shape of x; their gradient is not used)
    Params   softmax_param.axis, default 1
             loss_param.ignore_label: positions with this label give no loss and no gradient; default none
             loss_param.normalization: Z is the number of positions that count (VALID, default), of all (FULL),
             of items before the axis (BATCH_SIZE), or 1 (NONE); never below 1. The older loss_param.normalize,
             where normalization is not given, means VALID if true and BATCH_SIZE if false
    Example  bottom: "scores" bottom: "label" top: "loss" loss_param { ignore_label: 255 }

    A label that is no class is a DataError on the CPU. CUDA kernels cannot raise: there the loss and the gradient
    of its position become NaN, which stops a training.
    """

    type = "SoftmaxWithLoss"
    bottoms = exactly(2)
    tops = between(1, 2)
    reads = frozenset("x")
    no_gradient = frozenset({1})
    is_loss = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        loss = param.loss_param
        self.ignore: int | None = loss.ignore_label if loss.HasField("ignore_label") else None
        self.mode = normalization(loss)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        check_labels(self, self.fold(bottom[0]), bottom)
        return [(), bottom[0]][: max(1, len(self.param.top))]

    def fold(self, bottom: Shape) -> Fold:
        return fold(bottom, self.axis(self.param.softmax_param.axis, len(bottom), "softmax_param", "axis"))


class _SoftmaxWithLoss(Implementation[SoftmaxWithLoss]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x[0])
        self.positions = self.fold.outer * self.fold.inner
        kept = wanted.backward
        return {"probability": Buffer(self.fold, kept=kept), "divisor": Buffer((), kept=kept)}


@SoftmaxWithLoss.runs_on("cpu")
class _CPU(_SoftmaxWithLoss):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        outer, _, inner = self.fold
        self.rows, self.columns = np.ogrid[:outer, :inner]
        return {**buffers, "scratch": Buffer((outer, inner))}

    def forward(self, io: Arrays) -> None:
        probability, losses, layer = io.work["probability"], io.work["scratch"], self.layer
        softmax(self.fold.of(io.x[0]), probability, losses)
        if len(io.y) == 2:
            np.copyto(self.fold.of(io.y[1]), probability)
        label, valid = self._labels(io)
        np.maximum(probability[self.rows, label, self.columns], _LEAST, out=losses)
        np.log(losses, out=losses)
        if valid is not None:
            np.multiply(losses, valid, out=losses)
        counted = self.positions if valid is None else int(np.count_nonzero(valid))
        divisor = normalizer(layer.mode, self.fold.outer, self.fold.inner, counted)
        io.work["divisor"][...] = divisor
        io.y[0][...] = -losses.sum() / divisor

    def _labels(self, io: Arrays) -> tuple[Array, Array | None]:
        """The labels of all positions (outer, inner), and which of them count."""
        labels = io.x[1].reshape(self.fold.outer, self.fold.inner)
        return class_indices(self.layer, labels, self.fold.dim, self.layer.ignore)

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        dx = self.fold.of(io.dx[0])
        scale = io.dy[0] / io.work["divisor"]
        label, valid = self._labels(io)
        np.multiply(io.work["probability"], scale, out=dx)
        dx[self.rows, label, self.columns] -= scale
        if valid is not None:
            np.multiply(dx, valid[:, None], out=dx)


@SoftmaxWithLoss.runs_on("cuda")
class _CUDA(_SoftmaxWithLoss):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        self.parts = parts(self.positions)
        self.ignore = NO_LABEL if self.layer.ignore is None else self.layer.ignore
        return {**buffers, "loss": Buffer((self.parts,)), "valid": Buffer((self.parts,), np.int64)}

    def forward(self, io: Arrays) -> None:
        probability, (outer, dim, inner) = io.work["probability"], self.fold
        loss, valid = io.work["loss"], io.work["valid"]
        softmax_cuda(io.x[0], probability, self.fold)
        if len(io.y) == 2:
            cuda.copy(io.y[1], probability)
        _kernels.softmax_loss_part.by_block(
            self.parts, probability, io.x[1], loss, valid, self.positions, dim, inner, self.ignore, _LEAST
        )
        finish_cuda(self.layer.mode, outer, inner, (loss, valid), io.y[0], io.work["divisor"])

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is None:
            return
        _, dim, inner = self.fold
        probability, divisor = io.work["probability"], io.work["divisor"]
        _kernels.softmax_loss_backward(dx.size, probability, io.x[1], io.dy[0], divisor, dx, dim, inner, self.ignore)
