"""Bias: y = x + b, b laid over some axes of x."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.layer import Arrays, Buffer, Implementation, Layer, Param, Shape, Shapes, Wanted, between
from brew.layer.registry import register_layer
from brew.ops import broadcast
from brew.ops.fold import Fold
from brew.ops.in_place import overwrites
from brew.ops.operand import operand_fold, operand_shape
from brew.ops.reduction import partial_sums, sum_outside


@register_layer
class Bias(Layer):
    """Adds a learned parameter, or a second bottom, to the first.

    Bottoms  x, and perhaps b
    Top      y   (the shape of x)
    Params   bias_param.axis, default 1: the first axis of x that b covers; negative counts from the end
             bias_param.num_axes, default 1, for one bottom: how many axes b covers; 0 a scalar, -1 all that follow
             bias_param.filler, default zeros
    Blobs    b, where there is one bottom
    Example  bottom: "x" top: "y" bias_param { filler { type: "constant" value: 0.1 } }

    May run in place: backward reads no values.
    """

    type = "Bias"
    bottoms = between(1, 2)
    in_place = True
    reads = frozenset()

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        self.fold(bottom)
        return [bottom[0]]

    def operand(self, bottom: Sequence[Shape]) -> Shape:
        """The shape of b."""
        param = self.param.bias_param
        return operand_shape(self, "bias_param", bottom, param.axis, param.num_axes)

    def fold(self, bottom: Sequence[Shape]) -> Fold:
        return operand_fold(self, "bias_param", bottom, self.param.bias_param.axis, self.operand(bottom))

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        if len(bottom) == 2:
            return []
        param = self.param.bias_param
        return [Param(self.operand(bottom), param.filler if param.HasField("filler") else None)]


@Bias.runs_on("cpu")
class _CPU(Implementation[Bias]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x)
        return {"sum": Buffer((self.fold.dim,))}

    def forward(self, io: Arrays) -> None:
        b = (io.w or io.x[1:])[0].reshape(-1, 1)
        np.add(self.fold.of(io.x[0]), b, out=self.fold.of(io.y[0]))

    def backward(self, io: Arrays) -> None:
        dy = self.fold.of(io.dy[0])
        db = (io.dw or io.dx[1:])[0]
        if db is not None:
            total = dy.sum(axis=(0, 2), out=io.work["sum"]).reshape(db.shape)
            np.add(db if io.dw else 0, total, out=db)
        if io.dx[0] is not None:
            np.copyto(io.dx[0], io.dy[0])


@Bias.runs_on("cuda")
class _CUDA(Implementation[Bias]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x)
        return {"partial": partial_sums(self.fold)}

    def forward(self, io: Arrays) -> None:
        broadcast.add(io.x[0], (io.w or io.x[1:])[0], io.y[0], self.fold)

    def backward(self, io: Arrays) -> None:
        db = (io.dw or io.dx[1:])[0]
        if db is not None:
            sum_outside(io.dy[0], db, io.work["partial"], self.fold, add=bool(io.dw))
        if io.dx[0] is not None and not overwrites(self.layer.param):
            cuda.copy(io.dx[0], io.dy[0])
