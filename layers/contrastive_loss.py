"""ContrastiveLoss: draws like pairs together and keeps unlike ones a margin apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, count, exactly
from brew.layer.registry import register_layer
from brew.ops.fold import Fold
from brew.ops.labels import LABEL_OF
from brew.ops.reduction import partial_sums, sum_outside
from brew.proto.brew_pb2 import LayerParameter

_APART = 1e-4  # added to the distance that an unlike pair's gradient is divided by

_kernels = Kernels(
    LABEL_OF
    + r"""
// One block per pair: its squared distance and what it costs.
template <typename T>
__global__ void contrastive_forward(long long n, const T* a, const T* b, const T* like, T* square, T* loss,
                                    long long dim, T margin, bool legacy) {
  FOR_EACH_BLOCK(i, n) {
    T sum = 0;
    for (long long d = threadIdx.x; d < dim; d += blockDim.x) {
      T difference = a[i * dim + d] - b[i * dim + d];
      sum += difference * difference;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
      T short_of = legacy ? margin - sum : margin - sqrt(sum);
      short_of = short_of < 0 ? T(0) : short_of;
      square[i] = sum;
      loss[i] = label_of(like[i]) != 0 ? sum : legacy ? short_of : short_of * short_of;
    }
  }
}

template <typename T>
__global__ void contrastive_backward(long long n, const T* a, const T* b, const T* like, const T* square,
                                     const T* dy, T* dx, long long dim, T margin, T apart, bool legacy, T scale) {
  FOR_EACH(i, n) {
    T sum = square[i / dim], factor = 1;
    if (label_of(like[i / dim]) == 0) {
      T distance = sqrt(sum), short_of = legacy ? margin - sum : margin - distance;
      factor = short_of <= 0 ? T(0) : legacy ? T(-1) : -short_of / (distance + apart);
    }
    dx[i] = dy[0] * scale * factor * (a[i] - b[i]);
  }
}
"""
)


@register_layer
class ContrastiveLoss(Layer):
    """loss = sum over pairs of d^2 for like ones and max(margin - d, 0)^2 for unlike ones, over 2 N.

    Bottoms  a, b    (N x ..., of one shape); d is the Euclidean distance of a pair; both get a gradient
             like    (N), cast to int: 0 for an unlike pair, else a like one; no gradient
    Top      loss    (scalar); 0 for an empty batch
    Params   contrastive_loss_param.margin, default 1
             contrastive_loss_param.legacy_version, default false; true is max(margin - d^2, 0) for unlike pairs
    Example  bottom: "a" bottom: "b" bottom: "similar" top: "loss" contrastive_loss_param { margin: 1 }

    Hadsell et al., CVPR 2006. The gradient of an unlike pair is divided by d + 1e-4, as in Caffe: it is that much
    smaller than the loss's slope, and finite where the pair coincides.
    """

    type = "ContrastiveLoss"
    bottoms = exactly(3)
    reads = frozenset("x")
    no_gradient = frozenset({2})
    is_loss = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        own = param.contrastive_loss_param
        self.margin: float = own.margin
        self.legacy: bool = own.legacy_version

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        a, b, like = bottom
        if not a or not b or a[0] != b[0] or count(a[1:]) != count(b[1:]) or count(like) != a[0]:
            raise self.shape_error("two bottoms with as many items of one size, and a number for each pair", bottom)
        return [()]


class _Contrastive(Implementation[ContrastiveLoss]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.items, self.dim = shapes.x[0][0], count(shapes.x[0][1:])
        self.scale = 1 / max(1, self.items)
        return {"square": Buffer((self.items,), kept=wanted.backward)}


@ContrastiveLoss.runs_on("cpu")
class _CPU(_Contrastive):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        return {**buffers, "difference": Buffer((self.items, self.dim))}

    def forward(self, io: Arrays) -> None:
        layer, square, difference = self.layer, io.work["square"], io.work["difference"]
        self._difference(io, difference)
        np.einsum("id,id->i", difference, difference, out=square)
        short_of = np.maximum(layer.margin - (square if layer.legacy else np.sqrt(square)), 0)
        unlike = short_of if layer.legacy else short_of * short_of
        io.y[0][...] = np.where(self._like(io), square, unlike).sum() * (self.scale / 2)

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None and io.dx[1] is None:
            return
        layer, square, difference = self.layer, io.work["square"], io.work["difference"]
        distance = np.sqrt(square)
        short_of = layer.margin - (square if layer.legacy else distance)
        unlike = np.where(short_of > 0, -1 if layer.legacy else -short_of / (distance + _APART), 0)
        factor = np.where(self._like(io), 1, unlike) * (io.dy[0] * self.scale)
        self._difference(io, difference)
        for i, sign in ((0, 1), (1, -1)):
            if (dx := io.dx[i]) is not None:
                flat = dx.reshape(difference.shape)
                np.multiply(difference, (sign * factor)[:, np.newaxis], out=flat, casting="same_kind")

    def _difference(self, io: Arrays, out: Array) -> None:
        np.subtract(io.x[0].reshape(out.shape), io.x[1].reshape(out.shape), out=out)

    def _like(self, io: Arrays) -> Array:
        like: Array = np.trunc(io.x[2].reshape(-1)) != 0
        return like


@ContrastiveLoss.runs_on("cuda")
class _CUDA(_Contrastive):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        self.fold = Fold(self.items, 1, 1)
        return {**buffers, "loss": Buffer((self.items,)), "partial": partial_sums(self.fold)}

    def forward(self, io: Arrays) -> None:
        layer, square, loss = self.layer, io.work["square"], io.work["loss"]
        _kernels.contrastive_forward.by_block(self.items, *io.x, square, loss, self.dim, layer.margin, layer.legacy)
        sum_outside(loss, io.y[0].reshape(1), io.work["partial"], self.fold, scale=self.scale / 2)

    def backward(self, io: Arrays) -> None:
        layer = self.layer
        for i, sign in ((0, 1), (1, -1)):
            if (dx := io.dx[i]) is not None:
                _kernels.contrastive_backward(
                    dx.size, *io.x, io.work["square"], io.dy[0], dx, self.dim, layer.margin, _APART, layer.legacy,
                    sign * self.scale,
                )  # fmt: skip
