"""MVN: each channel of each item brought to mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, count
from brew.layer.registry import register_layer
from brew.ops import broadcast, normal
from brew.ops.fold import Fold
from brew.ops.in_place import overwrites
from brew.ops.reduction import partial_sums
from brew.proto.brew_pb2 import LayerParameter

_kernels = Kernels(r"""
template <typename T>
__global__ void mvn_factor(long long n, T* variance, T eps) {
  FOR_EACH(d, n) { variance[d] = 1 / (sqrt(variance[d]) + eps); }
}
""")


@register_layer
class MVN(Layer):
    """Mean-variance normalisation, of each item by itself.

    Bottom   x   (N x C x ...)
    Top      y   (the shape of x) = (x - mean) / (sqrt(variance) + eps); the variance is the biased one
    Params   mvn_param.normalize_variance, default true; false subtracts the mean only
             mvn_param.across_channels, default false: mean and variance of all channels together
             mvn_param.eps, default 1e-9; it stands outside the root
    Example  bottom: "x" top: "y" mvn_param { across_channels: true }

    The gradient is Caffe's, (dy - mean(dy) - y * mean(y * dy)) / (sqrt(variance) + eps): exact for eps 0. May run in
    place; the layer then keeps a copy of y if the gradient depends on it.
    """

    type = "MVN"
    in_place = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        mvn = param.mvn_param
        self.axes = 1 if mvn.across_channels else 2  # those that tell apart what is normalised
        self.divides: bool = mvn.normalize_variance
        self.eps: float = mvn.eps
        self.reads = frozenset("y" if self.divides and not overwrites(param) else "")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [bottom[0]]

    def fold(self, bottom: Shape) -> Fold:
        return Fold(1, count(bottom[: self.axes]), count(bottom[self.axes :]))


class _MVN(Implementation[MVN]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x[0])
        rows = self.fold.dim
        # In place, a layer after this one may overwrite y too.
        self.keeps_y = self.layer.divides and wanted.backward and overwrites(self.layer.param)
        buffers = {"factor": Buffer((rows,), kept=wanted.backward), "means": Buffer((2, rows))}
        return {**buffers, "y": Buffer(shapes.x[0], saved=True)} if self.keeps_y else buffers

    def normal(self, io: Arrays) -> Array:
        """y, as forward made it."""
        return io.work["y"] if self.keeps_y else io.y[0]


@MVN.runs_on("cpu")
class _CPU(_MVN):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        return {**buffers, "term": Buffer(self.fold)} if self.layer.divides and wanted.backward else buffers

    def forward(self, io: Arrays) -> None:
        y, factor = self.fold.of(io.y[0]), io.work["factor"]
        normal.center(self.fold.of(io.x[0]), y, io.work["means"][0], self.fold)
        if self.layer.divides:
            normal.dot_mean(y, y, factor, self.fold)
            np.add(np.sqrt(factor, out=factor), self.layer.eps, out=factor)
            np.multiply(y, np.reciprocal(factor, out=factor)[:, None], out=y)
        if self.keeps_y:
            np.copyto(io.work["y"], io.y[0])

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        dy, dx, means = self.fold.of(io.dy[0]), self.fold.of(io.dx[0]), io.work["means"]
        if self.layer.divides:
            y = self.fold.of(self.normal(io))
            normal.gradient(y, dy, dx, io.work["factor"], means, io.work["term"], self.fold)
        else:
            normal.center(dy, dx, means[0], self.fold)


@MVN.runs_on("cuda")
class _CUDA(_MVN):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        return {**super().prepare(shapes, wanted), "partial": partial_sums(self.layer.fold(shapes.x[0]))}

    def forward(self, io: Arrays) -> None:
        x, y, (factor, partial) = io.x[0], io.y[0], (io.work["factor"], io.work["partial"])
        normal.center_cuda(x, y, io.work["means"][0], partial, self.fold)
        if self.layer.divides:
            normal.dot_mean_cuda(y, y, factor, partial, self.fold)
            _kernels.mvn_factor(factor.size, factor, self.layer.eps)
            broadcast.multiply(y, factor, y, self.fold)
        if self.keeps_y:
            cuda.copy(io.work["y"], y)

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is None:
            return
        dy, means, partial = io.dy[0], io.work["means"], io.work["partial"]
        if self.layer.divides:
            normal.gradient_cuda(self.normal(io), dy, dx, io.work["factor"], means, partial, self.fold)
        else:
            normal.center_cuda(dy, dx, means[0], partial, self.fold)
