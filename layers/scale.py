"""Scale: y = a * x, or a * x + b; a and b laid over some axes of x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Param, Shape, Shapes, Wanted, between
from brew.layer.registry import register_layer
from brew.ops import broadcast
from brew.ops.fold import Fold
from brew.ops.in_place import overwrites
from brew.ops.operand import operand_fold, operand_shape
from brew.ops.reduction import dot_outside, partial_sums, sum_outside
from brew.proto.brew_pb2 import FillerParameter, LayerParameter


@register_layer
class Scale(Layer):
    """Multiplies by a learned parameter, or by a second bottom; with `bias_term` adds a learned one too.

    Bottoms  x, and perhaps a
    Top      y   (the shape of x)
    Params   scale_param.axis, default 1: the first axis of x that a covers; negative counts from the end
             scale_param.num_axes, default 1, for one bottom: how many axes a covers; 0 a scalar, -1 all that follow
             scale_param.filler, default ones
             scale_param.bias_term, default false; scale_param.bias_filler, default zeros
    Blobs    a, where there is one bottom; b, of the shape of a, with bias_term
    Example  bottom: "conv" top: "conv" scale_param { bias_term: true }

    May run in place; the layer then keeps a copy of x. The gradient of a is always added to (Caffe overwrites it
    where a covers all of x, or one item of it).
    """

    type = "Scale"
    bottoms = between(1, 2)
    in_place = True
    reads = frozenset("x")

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        if overwrites(param) and len(param.bottom) == 1:
            self.reads = frozenset()  # x is kept where backward needs it

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        self.fold(bottom)
        return [bottom[0]]

    def operand(self, bottom: Sequence[Shape]) -> Shape:
        """The shape of a, and of b."""
        param = self.param.scale_param
        return operand_shape(self, "scale_param", bottom, param.axis, param.num_axes)

    def fold(self, bottom: Sequence[Shape]) -> Fold:
        return operand_fold(self, "scale_param", bottom, self.param.scale_param.axis, self.operand(bottom))

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        param, shape = self.param.scale_param, self.operand(bottom)
        ones = FillerParameter(type="constant", value=1)
        scale = Param(shape, param.filler if param.HasField("filler") else ones)
        bias = Param(shape, param.bias_filler if param.HasField("bias_filler") else None)
        return [scale][len(bottom) - 1 :] + [bias][: param.bias_term]


class _Scale(Implementation[Scale]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x)
        self.learned = len(shapes.x) == 1  # whether a is a parameter
        self.keeps_x = overwrites(self.layer.param) and (wanted.params[0] if self.learned else wanted.bottoms[1])
        return {"x": Buffer(shapes.x[0], saved=True)} if self.keeps_x else {}

    def scale(self, io: Arrays) -> Array:
        return io.w[0] if self.learned else io.x[1]

    def scale_diff(self, io: Arrays) -> Array | None:
        return io.dw[0] if self.learned else io.dx[1]

    def bias(self, io: Arrays) -> Array | None:
        return io.w[-1] if self.layer.param.scale_param.bias_term else None

    def bias_diff(self, io: Arrays) -> Array | None:
        return io.dw[-1] if self.layer.param.scale_param.bias_term else None


@Scale.runs_on("cpu")
class _CPU(_Scale):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        return {**super().prepare(shapes, wanted), "sum": Buffer((self.layer.fold(shapes.x).dim,))}

    def forward(self, io: Arrays) -> None:
        if self.keeps_x:
            np.copyto(io.work["x"], io.x[0])
        y = self.fold.of(io.y[0])
        np.multiply(self.fold.of(io.x[0]), self.scale(io).reshape(-1, 1), out=y)
        if (bias := self.bias(io)) is not None:
            np.add(y, bias.reshape(-1, 1), out=y)

    def backward(self, io: Arrays) -> None:
        dy, total = self.fold.of(io.dy[0]), io.work["sum"]
        if (da := self.scale_diff(io)) is not None:
            x = self.fold.of(io.work["x"] if self.keeps_x else io.x[0])
            np.einsum("odi,odi->d", dy, x, out=total)
            np.add(da if self.learned else 0, total.reshape(da.shape), out=da)
        if (db := self.bias_diff(io)) is not None:
            np.add(db, dy.sum(axis=(0, 2), out=total).reshape(db.shape), out=db)
        if io.dx[0] is not None:
            np.multiply(dy, self.scale(io).reshape(-1, 1), out=self.fold.of(io.dx[0]))


@Scale.runs_on("cuda")
class _CUDA(_Scale):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        return {**super().prepare(shapes, wanted), "partial": partial_sums(self.layer.fold(shapes.x))}

    def forward(self, io: Arrays) -> None:
        if self.keeps_x:
            cuda.copy(io.work["x"], io.x[0])
        if (bias := self.bias(io)) is None:
            broadcast.multiply(io.x[0], self.scale(io), io.y[0], self.fold)
        else:
            broadcast.affine(io.x[0], self.scale(io), bias, io.y[0], self.fold)

    def backward(self, io: Arrays) -> None:
        dy, partial = io.dy[0], io.work["partial"]
        if (da := self.scale_diff(io)) is not None:
            x = io.work["x"] if self.keeps_x else io.x[0]
            dot_outside(dy, x, da, partial, self.fold, add=self.learned)
        if (db := self.bias_diff(io)) is not None:
            sum_outside(dy, db, partial, self.fold, add=True)
        if io.dx[0] is not None:
            broadcast.multiply(dy, self.scale(io), io.dx[0], self.fold)
