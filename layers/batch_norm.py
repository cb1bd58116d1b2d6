"""BatchNorm: each channel brought to mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.cuda import Kernels
from brew.layer import TEST, Array, Arrays, Buffer, Context, Implementation, Layer, Param, Shape, Shapes, Wanted
from brew.layer.registry import register_layer
from brew.ops import broadcast, normal
from brew.ops.fold import Fold, fold
from brew.ops.in_place import overwrites
from brew.ops.reduction import partial_sums
from brew.proto.brew_pb2 import LayerParameter

_kernels = Kernels(r"""
// stats: averages of mean and variance, and the sum of their weights.
template <typename T>
__global__ void batch_norm_stored(long long n, const T* mean_sum, const T* variance_sum, const T* weight, T* mean,
                                  T* rstd, T eps) {
  FOR_EACH(d, n) {
    T factor = weight[0] == 0 ? 0 : 1 / weight[0];
    mean[d] = mean_sum[d] * factor;
    rstd[d] = 1 / sqrt(variance_sum[d] * factor + eps);
  }
}

// rstd holds the biased variance of the batch; afterwards 1 / sqrt(variance + eps).
template <typename T>
__global__ void batch_norm_update(long long n, const T* mean, T* rstd, T* mean_sum, T* variance_sum, T* weight,
                                  T keep, T unbias, T eps) {
  FOR_EACH(d, n) {
    mean_sum[d] = keep * mean_sum[d] + mean[d];
    variance_sum[d] = keep * variance_sum[d] + unbias * rstd[d];
    rstd[d] = 1 / sqrt(rstd[d] + eps);
    if (d == 0) weight[0] = keep * weight[0] + 1;
  }
}

template <typename T>
__global__ void batch_norm_normalize(long long n, const T* x, const T* mean, const T* rstd, T* y, long long dim,
                                     long long inner) {
  FOR_EACH(i, n) {
    long long d = i / inner % dim;
    y[i] = (x[i] - mean[d]) * rstd[d];
  }
}
""")


@register_layer
class BatchNorm(Layer):
    """Batch normalisation (Ioffe and Szegedy, 2015) without scale and shift: pair it with Scale, bias_term true.

    Bottom   x   (N x C x ..., or one axis, which is one channel)
    Top      y   (the shape of x) = (x - mean) / sqrt(variance + eps), both per channel
    Params   batch_norm_param.use_global_stats, default false in training and true in the test phase: take mean
             and variance from the blobs, not from the batch, and leave the blobs as they are
             batch_norm_param.moving_average_fraction f, default 0.999; batch_norm_param.eps, default 1e-5
    Blobs    sums of means (C) and of variances (C), and of their weights (1); not learned. Each forward with the
             batch's statistics multiplies them by f and adds its mean, its variance times m / (m - 1), and 1, for
             m elements per channel; with iter_size that is each of the passes. Read as sums / weight, 0 at first.
    Example  bottom: "conv" top: "conv" batch_norm_param { moving_average_fraction: 0.9 }

    May run in place; the layer then keeps a copy of y, which the layers after it may overwrite too.
    """

    type = "BatchNorm"
    in_place = True
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        norm = param.batch_norm_param
        self.stored: bool = norm.use_global_stats if norm.HasField("use_global_stats") else context.phase == TEST
        self.keep: float = norm.moving_average_fraction
        self.eps: float = norm.eps
        if overwrites(param):
            self.reads = frozenset()  # what backward needs is kept

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if not bottom[0]:
            raise self.shape_error("a bottom of at least 1 axis", bottom)
        return [bottom[0]]

    def fold(self, bottom: Shape) -> Fold:
        return fold(bottom, 1) if len(bottom) > 1 else Fold(bottom[0], 1, 1)

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        channels = (self.fold(bottom[0]).dim,)
        return [Param(channels, learned=False), Param(channels, learned=False), Param((1,), learned=False)]


class _BatchNorm(Implementation[BatchNorm]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x[0])
        terms = normal.terms(self.fold)  # m
        self.unbias = terms / (terms - 1) if terms > 1 else 1.0
        channels = self.fold.dim
        self.needs_normal = wanted.backward and not self.layer.stored
        # In place, what backward needs is kept; else it is made again from x, into scratch.
        self.keeps_normal = self.needs_normal and overwrites(self.layer.param)
        kept = wanted.backward or not self.layer.stored  # `again` reads the batch's statistics, as backward does
        buffers = {n: Buffer((channels,), kept=kept) for n in ("mean", "rstd")}
        if self.needs_normal:
            buffers["normal"] = Buffer(self.fold, saved=self.keeps_normal)
            buffers["means"] = Buffer((2, channels))
        return buffers


@BatchNorm.runs_on("cpu")
class _CPU(_BatchNorm):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        return {**buffers, "term": Buffer(self.fold)} if self.keeps_normal else buffers

    def forward(self, io: Arrays) -> None:
        x, y, (mean, rstd) = self.fold.of(io.x[0]), self.fold.of(io.y[0]), self._statistics(io)
        if self.layer.stored:
            self._read(io.w, mean[:, 0], rstd[:, 0])
            np.subtract(x, mean, out=y)
        elif x.size:  # an empty batch has no statistics
            normal.center(x, y, mean[:, 0], self.fold)
            normal.dot_mean(y, y, rstd[:, 0], self.fold)
            self._update(io.w, mean[:, 0], rstd[:, 0])
        self._scale(io, y, rstd)

    def again(self, io: Arrays) -> None:
        """With the statistics that forward found; the averages stay as they are."""
        if self.layer.stored:
            self.forward(io)
            return
        y, (mean, rstd) = self.fold.of(io.y[0]), self._statistics(io)
        np.subtract(self.fold.of(io.x[0]), mean, out=y)
        self._scale(io, y, rstd)

    def _scale(self, io: Arrays, y: Array, rstd: Array) -> None:
        np.multiply(y, rstd, out=y)
        if self.keeps_normal:
            np.copyto(io.work["normal"], y)

    @staticmethod
    def _statistics(io: Arrays) -> tuple[Array, Array]:
        """Mean and 1 / sqrt(variance + eps), (C, 1)."""
        return io.work["mean"][:, None], io.work["rstd"][:, None]

    def _read(self, w: list[Array], mean: Array, rstd: Array) -> None:
        weight = w[2][0]
        factor = 0 if weight == 0 else 1 / weight
        np.multiply(w[0], factor, out=mean)
        np.multiply(w[1], factor, out=rstd)
        self._root(rstd)

    def _update(self, w: list[Array], mean: Array, rstd: Array) -> None:
        for blob, value in ((w[0], mean), (w[1], rstd * rstd.dtype.type(self.unbias)), (w[2], 1)):
            np.multiply(blob, self.layer.keep, out=blob)
            np.add(blob, value, out=blob)
        self._root(rstd)

    def _root(self, variance: Array) -> None:
        np.add(variance, self.layer.eps, out=variance)
        np.sqrt(variance, out=variance)
        np.reciprocal(variance, out=variance)

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        dy, dx, (mean, rstd) = self.fold.of(io.dy[0]), self.fold.of(io.dx[0]), self._statistics(io)
        if self.layer.stored:
            np.multiply(dy, rstd, out=dx)
            return
        y = io.work["normal"]
        if not self.keeps_normal:
            np.subtract(self.fold.of(io.x[0]), mean, out=y)
            np.multiply(y, rstd, out=y)
        term = io.work["term"] if self.keeps_normal else y
        normal.gradient(y, dy, dx, rstd[:, 0], io.work["means"], term, self.fold)


@BatchNorm.runs_on("cuda")
class _CUDA(_BatchNorm):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        return {**super().prepare(shapes, wanted), "partial": partial_sums(self.layer.fold(shapes.x[0]))}

    def forward(self, io: Arrays) -> None:
        (x, y), (_, dim, inner), layer = (io.x[0], io.y[0]), self.fold, self.layer
        mean, rstd, partial = io.work["mean"], io.work["rstd"], io.work["partial"]
        if layer.stored:
            _kernels.batch_norm_stored(dim, *io.w, mean, rstd, layer.eps)
            _kernels.batch_norm_normalize(x.size, x, mean, rstd, y, dim, inner)
            return
        if x.size == 0:  # an empty batch has no statistics
            return
        normal.center_cuda(x, y, mean, partial, self.fold)
        normal.dot_mean_cuda(y, y, rstd, partial, self.fold)
        _kernels.batch_norm_update(dim, mean, rstd, *io.w, layer.keep, self.unbias, layer.eps)
        broadcast.multiply(y, rstd, y, self.fold)
        if self.keeps_normal:
            cuda.copy(io.work["normal"], y)

    def again(self, io: Arrays) -> None:
        """With the statistics that forward found; the averages stay as they are."""
        (x, y), (_, dim, inner) = (io.x[0], io.y[0]), self.fold
        if self.layer.stored:
            self.forward(io)
            return
        _kernels.batch_norm_normalize(x.size, x, io.work["mean"], io.work["rstd"], y, dim, inner)
        if self.keeps_normal:
            cuda.copy(io.work["normal"], y)

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is None:
            return
        dy, (_, dim, inner) = io.dy[0], self.fold
        mean, rstd, partial = io.work["mean"], io.work["rstd"], io.work["partial"]
        if self.layer.stored:
            broadcast.multiply(dy, rstd, dx, self.fold)
            return
        y = io.work["normal"]
        if not self.keeps_normal:
            _kernels.batch_norm_normalize(dy.size, io.x[0], mean, rstd, y, dim, inner)
        normal.gradient_cuda(y, dy, dx, rstd, io.work["means"], partial, self.fold)
