"""Accuracy: the share of items whose label is among the k best scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, between, exactly
from brew.layer.registry import register_layer
from brew.ops.fold import Fold, fold
from brew.ops.labels import LABEL_OF, NO_LABEL, check_labels, class_indices
from brew.proto.brew_pb2 import LayerParameter

_kernels = Kernels(
    LABEL_OF
    + r"""
// right[i]: 1 or 0, -1 for an ignored label, -2 for one that is no class.
template <typename T>
__global__ void accuracy_right(long long n, const T* score, const T* label, int* right, long long dim,
                               long long inner, long long ignore, int top_k) {
  FOR_EACH(i, n) {
    long long c = label_of(label[i]), first = i / inner * dim * inner + i % inner;
    if (c == ignore) {
      right[i] = -1;
    } else if (c < 0 || c >= dim) {
      right[i] = -2;
    } else {
      T own = score[first + c * inner];
      long long rivals = 0;
      for (long long d = 0; d < dim; ++d) rivals += !(score[first + d * inner] < own);
      right[i] = rivals <= top_k;
    }
  }
}

// y[c]: the share of right items with label c, or of all items where there is one y for all.
template <typename T>
__global__ void accuracy_share(long long n, const T* label, const int* right, T* y, long long items, bool each) {
  FOR_EACH_BLOCK(c, n) {
    long long hits = 0, counted = 0, wrong = 0;
    for (long long i = threadIdx.x; i < items; i += blockDim.x) {
      if (right[i] == -1 || (each && right[i] >= 0 && label_of(label[i]) != c)) continue;
      ++counted;
      hits += right[i] == 1;
      wrong += right[i] == -2;
    }
    hits = block_sum(hits);
    counted = block_sum(counted);
    wrong = block_sum(wrong);
    if (threadIdx.x == 0) y[c] = wrong ? (T)nanf("") : counted ? (T)hits / (T)counted : 0;
  }
}
"""
)


@register_layer
class Accuracy(Layer):
    """The share of positions whose label's score is among the top_k; 0 where no label counts.

    Bottoms  x       (... x C x ..., scores; C along the axis)
             label   (one number per position: as many as x has without the axis), cast to int
    Tops     accuracy (scalar), and perhaps the accuracy of each class (C; 0 for a class that is absent)
    Params   accuracy_param.top_k, default 1; accuracy_param.axis, default 1
             accuracy_param.ignore_label: positions with this label do not count; default none
    Example  bottom: "scores" bottom: "label" top: "accuracy" accuracy_param { top_k: 5 }

    A position is right where fewer than top_k other classes have a score that is as high or higher: ties count
    against it, as in Caffe, and so does NaN. No gradients. A label that is no class is a DataError on the CPU and
    makes the tops NaN on CUDA.
    """

    type = "Accuracy"
    bottoms = exactly(2)
    tops = between(1, 2)
    reads = frozenset()
    is_score = True
    labels_are_classes = True
    axis_in = "accuracy_param"
    for_training = True
    no_gradient = frozenset({0, 1})

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        accuracy = param.accuracy_param
        self.top_k: int = accuracy.top_k
        self.ignore: int | None = accuracy.ignore_label if accuracy.HasField("ignore_label") else None
        if self.top_k < 1:
            raise self.error("top_k must be at least 1", "accuracy_param", "top_k")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        folded = self.fold(bottom[0])
        check_labels(self, folded, bottom)
        dim = folded.dim
        if self.top_k > dim:
            message = f"top_k {self.top_k} is more than the {dim} classes"
            raise self.error(message, "accuracy_param", "top_k")
        return [(), (dim,)][: len(self.param.top)]

    def fold(self, bottom: Shape) -> Fold:
        return fold(bottom, self.axis(self.param.accuracy_param.axis, len(bottom), "accuracy_param", "axis"))


class _Accuracy(Implementation[Accuracy]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x[0])
        return {}

    def backward(self, io: Arrays) -> None:
        """Nothing: no bottom can have a gradient."""


@Accuracy.runs_on("cpu")
class _CPU(_Accuracy):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        super().prepare(shapes, wanted)
        return {"below": Buffer(self.fold, np.bool_)}

    def bind(self, io: Arrays) -> None:
        self.rows, self.columns = np.ogrid[: self.fold.outer, : self.fold.inner]

    def forward(self, io: Arrays) -> None:
        (outer, dim, inner), layer, below = self.fold, self.layer, io.work["below"]
        score = self.fold.of(io.x[0])
        label, valid = class_indices(layer, io.x[1].reshape(outer, inner), dim, layer.ignore)
        np.less(score, score[self.rows, label, self.columns][:, None], out=below)
        right = np.count_nonzero(below, axis=1) >= dim - layer.top_k
        weight = np.ones(label.shape, np.int64) if valid is None else valid.astype(np.int64)
        right &= weight > 0
        io.y[0][...] = right.sum() / max(1, weight.sum())
        if len(io.y) == 2:
            hits, items = (np.bincount(label.ravel(), w.ravel(), minlength=dim) for w in (right, weight))
            np.divide(hits, np.maximum(items, 1), out=io.y[1], casting="same_kind")


@Accuracy.runs_on("cuda")
class _CUDA(_Accuracy):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        super().prepare(shapes, wanted)
        return {"right": Buffer((self.fold.outer * self.fold.inner,), np.int32)}

    def forward(self, io: Arrays) -> None:
        (_, dim, inner), right, layer = self.fold, io.work["right"], self.layer
        ignore = NO_LABEL if layer.ignore is None else layer.ignore
        label = io.x[1]
        _kernels.accuracy_right(right.size, io.x[0], label, right, dim, inner, ignore, layer.top_k)
        _kernels.accuracy_share.by_block(1, label, right, io.y[0], right.size, False)
        if len(io.y) == 2:
            _kernels.accuracy_share.by_block(dim, label, right, io.y[1], right.size, True)
