"""SoftmaxWithLoss: the multinomial logistic loss of a softmax."""

from __future__ import annotations

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Arrays, exactly
from brew.layer.registry import register_layer
from brew.ops.labels import LABEL_OF
from brew.ops.loss import LOSS_PART

from ._softmax_loss import SoftmaxLoss, SoftmaxLossCPU, SoftmaxLossCUDA

_LEAST = np.finfo(np.float32).tiny  # below it a probability counts as this: a loss of 87.3365 at most

_kernels = Kernels(
    LABEL_OF
    + LOSS_PART
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
    loss_part(p, sum, counted, loss, valid);
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
class SoftmaxWithLoss(SoftmaxLoss):
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
    no_gradient = frozenset({1})
    probabilities = "Softmax"
    least_probability = float(_LEAST)
    axis_in = "softmax_param"
    labels_are_classes = True


@SoftmaxWithLoss.runs_on("cpu")
class _CPU(SoftmaxLossCPU[SoftmaxWithLoss]):
    def bind(self, io: Arrays) -> None:
        self.rows, self.columns = np.ogrid[: self.fold.outer, : self.fold.inner]

    def losses(self, io: Arrays, label: Array, out: Array) -> None:
        np.maximum(io.work["probability"][self.rows, label, self.columns], _LEAST, out=out)
        np.log(out, out=out)

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        dx = self.fold.of(io.dx[0])
        scale = io.dy[0] / io.work["divisor"]
        label, valid = self.labels(io)
        np.multiply(io.work["probability"], scale, out=dx)
        dx[self.rows, label, self.columns] -= scale
        if valid is not None:
            np.multiply(dx, valid[:, None], out=dx)


@SoftmaxWithLoss.runs_on("cuda")
class _CUDA(SoftmaxLossCUDA[SoftmaxWithLoss]):
    def part_losses(self, io: Arrays) -> None:
        work, (_, dim, inner) = io.work, self.fold
        _kernels.softmax_loss_part.by_block(
            self.parts, work["probability"], io.x[1], work["loss"], work["valid"], self.positions, dim, inner,
            self.ignore, _LEAST,
        )  # fmt: skip

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is None:
            return
        _, dim, inner = self.fold
        probability, divisor = io.work["probability"], io.work["divisor"]
        _kernels.softmax_loss_backward(dx.size, probability, io.x[1], io.dy[0], divisor, dx, dim, inner, self.ignore)
