"""PReLU: y = x where x > 0, else a * x, with a learned slope a."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Param, Shape, Shapes, Wanted, count
from brew.layer.registry import register_layer
from brew.ops.fold import Fold, fold
from brew.ops.in_place import overwrites
from brew.ops.pieces import fold_piece, fold_pieces
from brew.ops.reduction import partial_sums, sum_outside
from brew.proto.brew_pb2 import FillerParameter, LayerParameter

_SHORT = 128  # products of fewer terms are better taken by einsum than by vecdot

_kernels = Kernels(r"""
template <typename T>
__global__ void prelu_forward(long long n, const T* x, const T* slope, T* y, long long dim, long long inner) {
  FOR_EACH(i, n) { y[i] = x[i] > 0 ? x[i] : slope[i / inner % dim] * x[i]; }
}

template <typename T>
__global__ void prelu_backward(long long n, const T* x, const T* slope, const T* dy, T* dx, long long dim,
                               long long inner) {
  FOR_EACH(i, n) { dx[i] = x[i] > 0 ? dy[i] : slope[i / inner % dim] * dy[i]; }
}

template <typename T>
__global__ void prelu_terms(long long n, const T* x, const T* dy, T* terms) {
  FOR_EACH(i, n) { terms[i] = x[i] > 0 ? T(0) : x[i] * dy[i]; }
}
""")


@register_layer
class PReLU(Layer):
    """Rectified linear unit with a learned slope (He et al., 2015), one for each channel.

    Bottom   x   (N x C x ...)
    Top      y   (the shape of x)
    Params   prelu_param.channel_shared, default false: one slope for all channels
             prelu_param.filler, default constant 0.25
    Blob     a   (C), or a scalar with channel_shared
    Example  bottom: "x" top: "y" prelu_param { channel_shared: false }

    The slope holds where x <= 0. May run in place; the layer then keeps a copy of x.
    """

    type = "PReLU"
    in_place = True
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        if overwrites(param):
            self.reads = frozenset()  # x is kept where backward needs it

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if len(bottom[0]) < 2:
            raise self.shape_error("a bottom of at least 2 axes", bottom)
        return [bottom[0]]

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        param = self.param.prelu_param
        filler = param.filler if param.HasField("filler") else FillerParameter(type="constant", value=0.25)
        return [Param(() if param.channel_shared else bottom[0][1:2], filler)]

    def fold(self, bottom: Shape) -> Fold:
        """The bottom around its channels; all of it one channel where they share a slope."""
        return Fold(1, 1, count(bottom)) if self.param.prelu_param.channel_shared else fold(bottom, 1)


class _PReLU(Implementation[PReLU]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x[0])
        self.keeps_x = wanted.backward and overwrites(self.layer.param)
        return {"x": Buffer(shapes.x[0], saved=True)} if self.keeps_x else {}

    def read(self, io: Arrays) -> Array:
        """x, as forward found it."""
        return io.work["x"] if self.keeps_x else io.x[0]


@PReLU.runs_on("cpu")
class _CPU(_PReLU):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        kept = super().prepare(shapes, wanted)
        self.planes = fold(shapes.x[0], 1)
        length = count(fold_piece(self.planes)) * self.planes.inner
        return {
            **kept,
            "t": Buffer((2, length)),
            "zero": Buffer((length,), kept=True),  # minimum of two arrays is three times as fast as of one and 0
            "slope": Buffer((self.planes.dim,)),
            "sum": Buffer((2, self.planes.dim)),
        }

    def forward(self, io: Arrays) -> None:
        if self.keeps_x:
            np.copyto(io.work["x"], io.x[0])
        x, y, slope = self.planes.of(io.x[0]), self.planes.of(io.y[0]), io.work["slope"]
        slope[...] = io.w[0]
        for outer, dim in fold_pieces(self.planes):
            below, _, zero = self._scratch(io, x[outer, dim])
            np.minimum(x[outer, dim], zero, out=below)
            np.multiply(below, slope[dim, None], out=below)
            np.maximum(x[outer, dim], zero, out=y[outer, dim])
            np.add(y[outer, dim], below, out=y[outer, dim])

    def backward(self, io: Arrays) -> None:
        x, dy = self.planes.of(self.read(io)), self.planes.of(io.dy[0])
        dx = None if io.dx[0] is None else self.planes.of(io.dx[0])
        slope, (total, part) = io.work["slope"], io.work["sum"]
        slope[...], total[...] = io.w[0], 0
        for outer, dim in fold_pieces(self.planes):
            here, above, zero = self._scratch(io, x[outer, dim])
            if io.dw[0] is not None:
                np.minimum(x[outer, dim], zero, out=here)
                if self.planes.inner < _SHORT:
                    np.einsum("odi,odi->d", here, dy[outer, dim], out=part[dim])
                else:
                    np.vecdot(here, dy[outer, dim]).sum(axis=0, out=part[dim])
                total[dim] += part[dim]
            if dx is not None:
                np.less_equal(x[outer, dim], 0, out=here)
                np.multiply(here, slope[dim, None], out=here)
                np.greater(x[outer, dim], 0, out=above)
                np.add(here, above, out=here)
                np.multiply(here, dy[outer, dim], out=dx[outer, dim])
        if (da := io.dw[0]) is not None:
            da += total if da.shape else total.sum()

    @staticmethod
    def _scratch(io: Arrays, piece: Array) -> tuple[Array, ...]:
        """Two arrays to work in and one of zeros, of the shape of a piece."""
        return tuple(row[: piece.size].reshape(piece.shape) for row in (*io.work["t"], io.work["zero"]))


@PReLU.runs_on("cuda")
class _CUDA(_PReLU):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        kept = super().prepare(shapes, wanted)
        if not wanted.params[0]:
            return kept
        return {**kept, "terms": Buffer(shapes.x[0]), "partial": partial_sums(self.fold)}

    def forward(self, io: Arrays) -> None:
        if self.keeps_x:
            cuda.copy(io.work["x"], io.x[0])
        _, dim, inner = self.fold
        _kernels.prelu_forward(io.x[0].size, io.x[0], io.w[0], io.y[0], dim, inner)

    def backward(self, io: Arrays) -> None:
        x, dy, (_, dim, inner) = self.read(io), io.dy[0], self.fold
        if io.dw[0] is not None:
            _kernels.prelu_terms(dy.size, x, dy, io.work["terms"])
            sum_outside(io.work["terms"], io.dw[0], io.work["partial"], self.fold, add=True)
        if io.dx[0] is not None:
            _kernels.prelu_backward(dy.size, x, io.w[0], dy, io.dx[0], dim, inner)
