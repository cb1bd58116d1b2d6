"""SigmoidCrossEntropyLoss: the logistic loss of every element against its own target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, count, exactly
from brew.layer.registry import register_layer
from brew.ops.labels import LABEL_OF, NO_LABEL
from brew.ops.loss import LOSS_PART, finish_cuda, normalization, normalizer
from brew.ops.reduction import parts
from brew.proto.brew_pb2 import LayerParameter, LossParameter

_kernels = Kernels(
    LABEL_OF
    + LOSS_PART
    + r"""
// The losses and the number of elements that count, summed over part p of the elements.
template <typename T>
__global__ void sigmoid_loss_part(long long n, const T* x, const T* target, T* loss, long long* valid,
                                  long long items, long long ignore) {
  FOR_EACH_BLOCK(p, n) {
    T sum = 0;
    long long counted = 0;
    for (long long i = p * items / n + threadIdx.x; i < (p + 1) * items / n; i += blockDim.x) {
      if (label_of(target[i]) == ignore) continue;
      ++counted;
      T positive = x[i] > 0 ? x[i] : T(0), size = x[i] > 0 ? x[i] : -x[i];
      sum += positive - x[i] * target[i] + log1p(exp(-size));
    }
    loss_part(p, sum, counted, loss, valid);
  }
}

template <typename T>
__global__ void sigmoid_loss_backward(long long n, const T* x, const T* target, const T* dy, const T* divisor, T* dx,
                                      long long ignore) {
  FOR_EACH(i, n) {
    T probability = (T)0.5 * tanh((T)0.5 * x[i]) + (T)0.5;
    dx[i] = label_of(target[i]) == ignore ? T(0) : dy[0] / divisor[0] * (probability - target[i]);
  }
}
"""
)


@register_layer
class SigmoidCrossEntropyLoss(Layer):
    """loss = -sum of t log(s(x)) + (1 - t) log(1 - s(x)) over Z, s the logistic function.

    Bottoms  x       (N x ..., scores)
             t       (as many elements in as many items), targets from 0 to 1, soft ones too; no gradient
    Top      loss    (scalar)
    Params   loss_param.ignore_label: elements whose target, cut off to an integer, is this give no loss and no
             gradient; default none
             loss_param.normalization: Z is N (BATCH_SIZE, the default here), the number of all elements (FULL), of
             those that count (VALID), or 1 (NONE); never below 1. The older loss_param.normalize, where
             normalization is not given, means VALID if true and BATCH_SIZE if false
    Example  bottom: "logits" bottom: "target" top: "loss"

    Computed as max(x, 0) - x t + log(1 + exp(-|x|)): nothing overflows. The gradient is (s(x) - t) / Z.
    """

    type = "SigmoidCrossEntropyLoss"
    bottoms = exactly(2)
    reads = frozenset("x")
    probabilities = "Sigmoid"
    no_gradient = frozenset({1})
    is_loss = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        loss = param.loss_param
        self.ignore: int | None = loss.ignore_label if loss.HasField("ignore_label") else None
        self.mode = normalization(loss, LossParameter.BATCH_SIZE)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        x, target = bottom
        if not x or not target or x[0] != target[0] or count(x) != count(target):
            raise self.shape_error("scores and as many targets, in as many items", bottom)
        return [()]


class _Loss(Implementation[SigmoidCrossEntropyLoss]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.items = shapes.x[0][0]
        self.size = count(shapes.x[0])
        self.inner = self.size // max(1, self.items)
        return {"divisor": Buffer((), kept=wanted.backward)}


@SigmoidCrossEntropyLoss.runs_on("cpu")
class _CPU(_Loss):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        return {**buffers, "loss": Buffer((self.size,)), "term": Buffer((self.size,))}

    def forward(self, io: Arrays) -> None:
        loss, term = io.work["loss"], io.work["term"]
        x, target = io.x[0].reshape(-1), io.x[1].reshape(-1)
        np.abs(x, out=loss)
        np.negative(loss, out=loss)
        np.exp(loss, out=loss)
        np.log1p(loss, out=loss)
        np.maximum(x, 0, out=term)
        np.add(loss, term, out=loss)
        np.multiply(x, target, out=term)
        np.subtract(loss, term, out=loss)
        counted, ignored = self.size, self._ignored(target)
        if ignored is not None:
            counted -= int(np.count_nonzero(ignored))
            loss[ignored] = 0
        divisor = normalizer(self.layer.mode, self.items, self.inner, counted)
        io.work["divisor"][...] = divisor
        io.y[0][...] = loss.sum() / divisor

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        dx, x, target = io.dx[0].reshape(-1), io.x[0].reshape(-1), io.x[1].reshape(-1)
        np.multiply(x, 0.5, out=dx)
        np.tanh(dx, out=dx)
        np.multiply(dx, 0.5, out=dx)
        np.add(dx, 0.5, out=dx)
        np.subtract(dx, target, out=dx)
        np.multiply(dx, io.dy[0] / io.work["divisor"], out=dx)
        if (ignored := self._ignored(target)) is not None:
            dx[ignored] = 0

    def _ignored(self, target: Array) -> Array | None:
        if self.layer.ignore is None:
            return None
        ignored: Array = np.trunc(target) == self.layer.ignore
        return ignored


@SigmoidCrossEntropyLoss.runs_on("cuda")
class _CUDA(_Loss):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        self.parts = parts(self.size)
        self.ignore = NO_LABEL if self.layer.ignore is None else self.layer.ignore
        return {**buffers, "loss": Buffer((self.parts,)), "valid": Buffer((self.parts,), np.int64)}

    def forward(self, io: Arrays) -> None:
        loss, valid = io.work["loss"], io.work["valid"]
        _kernels.sigmoid_loss_part.by_block(self.parts, io.x[0], io.x[1], loss, valid, self.size, self.ignore)
        finish_cuda(self.layer.mode, self.items, self.inner, (loss, valid), io.y[0], io.work["divisor"])

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            _kernels.sigmoid_loss_backward(dx.size, io.x[0], io.x[1], io.dy[0], io.work["divisor"], dx, self.ignore)
