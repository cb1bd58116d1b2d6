"""Eltwise: sum, product or maximum of bottoms of one shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, at_least
from brew.layer.registry import register_layer
from brew.ops.in_place import overwrites
from brew.ops.weighted_sum import weighted_sum, weighted_sum_cuda
from brew.proto.brew_pb2 import EltwiseParameter, LayerParameter

_kernels = Kernels(r"""
template <typename T>
__global__ void eltwise_copy(long long n, const T* from, T* to) {
  FOR_EACH(i, n) { to[i] = from[i]; }
}

template <typename T>
__global__ void eltwise_multiply(long long n, const T* a, const T* b, T* out) {
  FOR_EACH(i, n) { out[i] = a[i] * b[i]; }
}

// With k = 1, `best` holds bottom 0, and ties go to bottom 1; later bottoms must be larger. NaN always wins.
template <typename T>
__global__ void eltwise_max(long long n, const T* x, const T* best, T* out, int* winner, int k) {
  FOR_EACH(i, n) {
    bool wins = k == 1 ? !(best[i] > x[i]) : x[i] > best[i] || x[i] != x[i];
    if (k == 1 && best[i] != best[i]) wins = false;
    winner[i] = wins ? k : k == 1 ? 0 : winner[i];
    out[i] = wins ? x[i] : best[i];
  }
}

template <typename T>
__global__ void eltwise_max_backward(long long n, const T* dy, const int* winner, T* dx, int k) {
  FOR_EACH(i, n) { dx[i] = winner[i] == k ? dy[i] : 0; }
}

template <typename T>
__global__ void eltwise_quotient(long long n, const T* y, const T* x, const T* dy, T* dx) {
  FOR_EACH(i, n) { dx[i] = y[i] / x[i] * dy[i]; }
}
""")

PROD, SUM, MAX = EltwiseParameter.PROD, EltwiseParameter.SUM, EltwiseParameter.MAX


@register_layer
class Eltwise(Layer):
    """Combines bottoms element by element.

    Bottoms  x_0, x_1, ...   (one shape, at least 2)
    Top      y               (that shape)
    Params   eltwise_param.operation: SUM (default) of coeff_i * x_i, PROD, or MAX
             eltwise_param.coeff: for SUM, none or one per bottom
             eltwise_param.stable_prod_grad, default true: the gradient of a product multiplies the others; else
             it is y / x_i * dy, faster for many bottoms and not finite where x_i is 0
    Example  bottom: "a" bottom: "b" top: "y" eltwise_param { operation: SUM }

    The gradient of a maximum goes to one bottom: the first that is largest, but in a tie of bottoms 0 and 1 to 1
    (Caffe on the CPU; here on CUDA too). May run in place; a product then keeps a copy of x_0
    and takes the stable gradient.
    """

    type = "Eltwise"
    bottoms = at_least(2)
    in_place = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        eltwise = param.eltwise_param
        self.operation: int = eltwise.operation
        self.coeff = [float(c) for c in eltwise.coeff] or [1.0] * len(param.bottom)
        if eltwise.coeff and self.operation != SUM:
            raise self.error("coeff is for operation SUM only", "eltwise_param", "coeff")
        if len(self.coeff) != len(param.bottom):
            message = f"needs one coeff per bottom, {len(param.bottom)}, got {len(self.coeff)}"
            raise self.error(message, "eltwise_param", "coeff")
        # In place, a later layer may overwrite y too.
        self.stable: bool = eltwise.stable_prod_grad or overwrites(param)
        if self.operation == PROD:
            self.reads = frozenset("x" if self.stable else "xy")
        else:
            self.reads = frozenset()  # of a maximum, which bottom it was is kept

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if any(shape != bottom[0] for shape in bottom):
            hint = (
                "is num_output the same in the layers before, and kernel, stride and pad right for planes of one size?"
            )
            raise self.shape_error("bottoms of one shape", bottom, hint=hint)
        return [bottom[0]]


class _Eltwise(Implementation[Eltwise]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.keeps_first = overwrites(self.layer.param) and self.layer.operation == PROD and wanted.backward
        if self.layer.operation == MAX:
            return {"winner": Buffer(shapes.y[0], np.int32, saved=True)}
        return {"first": Buffer(shapes.y[0], saved=True)} if self.keeps_first else {}

    def factors(self, io: Arrays) -> list[Array]:
        """The bottoms as forward found them."""
        return [io.work["first"], *io.x[1:]] if self.keeps_first else io.x

    @staticmethod
    def gradients(io: Arrays) -> list[tuple[int, Array]]:
        """The gradients to write, the first last: in place it is the memory of dy."""
        return [(i, dx) for i, dx in reversed([*enumerate(io.dx)]) if dx is not None]


@Eltwise.runs_on("cpu")
class _CPU(_Eltwise):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        scratch = Buffer(shapes.y[0], np.bool_ if self.layer.operation == MAX else None)
        return {**super().prepare(shapes, wanted), "scratch": scratch}

    def forward(self, io: Arrays) -> None:
        x, y = io.x, io.y[0]
        if self.layer.operation == SUM:
            weighted_sum(x, self.layer.coeff, y, io.work["scratch"])
        elif self.layer.operation == PROD:
            if self.keeps_first:
                np.copyto(io.work["first"], x[0])
            np.multiply(x[0], x[1], out=y)
            for other in x[2:]:
                np.multiply(y, other, out=y)
        else:
            self._maximum(x, y, io.work["winner"], io.work["scratch"])

    @staticmethod
    def _maximum(x: list[Array], y: Array, winner: Array, wins: Array) -> None:
        np.less_equal(x[0], x[1], out=wins)
        np.copyto(winner, wins)
        np.maximum(x[0], x[1], out=y)
        for k, other in enumerate(x[2:], 2):
            np.greater(other, y, out=wins)
            np.copyto(winner, k, where=wins)
            np.maximum(y, other, out=y)

    def backward(self, io: Arrays) -> None:
        for i, dx in self.gradients(io):
            if self.layer.operation == SUM:
                np.multiply(io.dy[0], self.layer.coeff[i], out=dx)
            elif self.layer.operation == MAX:
                np.equal(io.work["winner"], i, out=io.work["scratch"])
                np.multiply(io.dy[0], io.work["scratch"], out=dx)
            elif self.layer.stable:
                self._others(i, io, dx)
            else:
                with np.errstate(divide="ignore", invalid="ignore"):
                    np.divide(io.y[0], self.factors(io)[i], out=io.work["scratch"])
                    np.multiply(io.work["scratch"], io.dy[0], out=dx)

    def _others(self, i: int, io: Arrays, dx: Array) -> None:
        """dx = dy times the product of all bottoms but i."""
        source = io.dy[0]
        for j, factor in enumerate(self.factors(io)):
            if j != i:
                np.multiply(source, factor, out=dx)
                source = dx


@Eltwise.runs_on("cuda")
class _CUDA(_Eltwise):
    def forward(self, io: Arrays) -> None:
        x, y = io.x, io.y[0]
        if self.layer.operation == SUM:
            weighted_sum_cuda(x, self.layer.coeff, y)
            return
        if self.keeps_first:
            _kernels.eltwise_copy(y.size, x[0], io.work["first"])
        best = x[0]
        for k, other in enumerate(x[1:], 1):
            if self.layer.operation == PROD:
                _kernels.eltwise_multiply(y.size, best, other, y)
            else:
                _kernels.eltwise_max(y.size, other, best, y, io.work["winner"], k)
            best = y

    def backward(self, io: Arrays) -> None:
        dy = io.dy[0]
        for i, dx in self.gradients(io):
            if self.layer.operation == SUM:
                weighted_sum_cuda([dy], [self.layer.coeff[i]], dx)
            elif self.layer.operation == MAX:
                _kernels.eltwise_max_backward(dy.size, dy, io.work["winner"], dx, i)
            elif self.layer.stable:
                source = dy
                for factor in (f for j, f in enumerate(self.factors(io)) if j != i):
                    _kernels.eltwise_multiply(dy.size, source, factor, dx)
                    source = dx
            else:
                _kernels.eltwise_quotient(dy.size, io.y[0], self.factors(io)[i], dy, dx)
