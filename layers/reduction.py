"""Reduction: all axes from one on summed to a single number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, count
from brew.layer.registry import register_layer
from brew.ops.fold import Fold
from brew.ops.pieces import PIECE, pieces
from brew.ops.reduction import absolute_outside, dot_outside, partial_sums, sum_outside
from brew.proto.brew_pb2 import LayerParameter, ReductionParameter

SUM, ASUM, SUMSQ, MEAN = (getattr(ReductionParameter, name) for name in ("SUM", "ASUM", "SUMSQ", "MEAN"))
_SHORT = 128  # sums of fewer terms are better taken by einsum than by add.reduce

_kernels = Kernels(r"""
// dx = factor * dy, times nothing, the sign of x, or 2 x.
template <typename T>
__global__ void reduction_backward(long long n, const T* x, const T* dy, T* dx, long long dim, T factor, bool sign,
                                   bool twice) {
  FOR_EACH(i, n) {
    T slope = 1;
    if (sign) slope = x[i] > 0 ? 1 : x[i] < 0 ? -1 : 0;
    if (twice) slope = 2 * x[i];
    dx[i] = factor * slope * dy[i / dim];
  }
}
""")


@register_layer
class Reduction(Layer):
    """One number from each item: a sum, or a mean, over all axes from `axis` on.

    Bottom   x   (axes before `axis`..., any axes from it on)
    Top      y   (axes before `axis`...; a scalar for axis 0)
    Params   reduction_param.operation: SUM (default), ASUM of |x|, SUMSQ of x^2, or MEAN
             reduction_param.axis, default 0, negative counts from the end
             reduction_param.coeff, default 1: a factor of y
    Example  bottom: "x" top: "y" reduction_param { operation: MEAN axis: 1 }

    The gradient of |x| at 0 is 0. A mean over nothing is 0.
    """

    type = "Reduction"

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.operation: int = param.reduction_param.operation
        self.reads = frozenset("x" if self.operation in (ASUM, SUMSQ) else "")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [bottom[0][: self.first_axis(bottom[0])]]

    def first_axis(self, bottom: Shape) -> int:
        """The first axis that is summed over."""
        return self.axis(self.param.reduction_param.axis, len(bottom), "reduction_param", "axis")


class _Reduction(Implementation[Reduction]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        axis = self.layer.first_axis(shapes.x[0])
        self.rows = count(shapes.x[0][:axis]), count(shapes.x[0][axis:])
        self.operation: int = self.layer.operation
        self.factor: float = self.layer.param.reduction_param.coeff
        if self.operation == MEAN:
            self.factor /= max(1, self.rows[1])
        return {}


@Reduction.runs_on("cpu")
class _CPU(_Reduction):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        super().prepare(shapes, wanted)
        buffers = {"row": Buffer(self.rows[:1])}
        if self.operation == ASUM:
            buffers["piece"] = Buffer((min(PIECE, count(self.rows)),))
        return buffers

    def forward(self, io: Arrays) -> None:
        x, y = io.x[0].reshape(self.rows), io.y[0].reshape(-1)
        if self.operation == ASUM:
            self._absolute(x, y, io.work["piece"], io.work["row"])
        elif self.operation == SUMSQ:
            np.einsum("od,od->o", x, x, out=y) if self.rows[1] < _SHORT else np.vecdot(x, x, out=y)
        else:
            _sum(x, y)
        np.multiply(y, self.factor, out=y)

    @staticmethod
    def _absolute(x: Array, y: Array, piece: Array, row: Array) -> None:
        """y = the sum of |x| along axis 1, taken in pieces that stay in cache."""
        outer, dim = x.shape
        y.fill(0)
        for rows in pieces(outer, max(1, PIECE // max(1, dim))):
            for columns in pieces(dim):
                part = x[rows, columns]
                term = np.absolute(part, out=piece[: part.size].reshape(part.shape))
                y[rows] += _sum(term, row[rows])

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        x, dx, row = io.x[0].reshape(self.rows), io.dx[0].reshape(self.rows), io.work["row"]
        np.multiply(io.dy[0].reshape(-1), self.factor * (2 if self.operation == SUMSQ else 1), out=row)
        if self.operation == ASUM:
            np.multiply(np.sign(x, out=dx), row[:, None], out=dx)
        elif self.operation == SUMSQ:
            np.multiply(x, row[:, None], out=dx)
        else:
            np.copyto(dx, row[:, None])


def _sum(rows: Array, out: Array) -> Array:
    """out = the sums along axis 1."""
    if rows.shape[1] < _SHORT:
        return np.einsum("od->o", rows, out=out)
    return np.add.reduce(rows, axis=1, out=out)


@Reduction.runs_on("cuda")
class _CUDA(_Reduction):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        super().prepare(shapes, wanted)
        self.fold = Fold(1, *self.rows)
        return {"partial": partial_sums(self.fold)}

    def forward(self, io: Arrays) -> None:
        x, y, partial = io.x[0], io.y[0], io.work["partial"]
        if self.operation == ASUM:
            absolute_outside(x, y, partial, self.fold, scale=self.factor)
        elif self.operation == SUMSQ:
            dot_outside(x, x, y, partial, self.fold, scale=self.factor)
        else:
            sum_outside(x, y, partial, self.fold, scale=self.factor)

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            sign, twice = self.operation == ASUM, self.operation == SUMSQ
            _kernels.reduction_backward(dx.size, io.x[0], io.dy[0], dx, self.rows[1], self.factor, sign, twice)
