"""Softmax: y = exp(x) / sum of exp(x) over one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brew.layer import Arrays, Buffer, Implementation, Layer, Shape, Shapes, Wanted
from brew.layer.registry import register_layer
from brew.ops.fold import Fold, fold
from brew.ops.softmax import softmax, softmax_backward, softmax_backward_cuda, softmax_cuda


@register_layer
class Softmax(Layer):
    """Probabilities over an axis; the largest value is subtracted first, so that nothing overflows.

    Bottom   x   (any shape of at least 1 axis; the axis is not empty)
    Top      y   (the shape of x)
    Param    softmax_param.axis, default 1; `engine` has no effect on the numbers
    Example  bottom: "x" top: "y"

    May run in place: backward reads y only.
    """

    type = "Softmax"
    in_place = True
    reads = frozenset("y")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        if self.fold(bottom[0]).dim == 0:
            raise self.shape_error("at least one value along the axis", bottom, "softmax_param", "axis")
        return [bottom[0]]

    def fold(self, bottom: Shape) -> Fold:
        return fold(bottom, self.axis(self.param.softmax_param.axis, len(bottom), "softmax_param", "axis"))


@Softmax.runs_on("cpu")
class _CPU(Implementation[Softmax]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x[0])
        return {"scratch": Buffer((self.fold.outer, self.fold.inner))}

    def forward(self, io: Arrays) -> None:
        softmax(self.fold.of(io.x[0]), self.fold.of(io.y[0]), io.work["scratch"])

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            y, dy = self.fold.of(io.y[0]), self.fold.of(io.dy[0])
            softmax_backward(y, dy, self.fold.of(dx), io.work["scratch"])


@Softmax.runs_on("cuda")
class _CUDA(Implementation[Softmax]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.fold = self.layer.fold(shapes.x[0])
        return {}

    def forward(self, io: Arrays) -> None:
        softmax_cuda(io.x[0], io.y[0], self.fold)

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            softmax_backward_cuda(io.y[0], io.dy[0], dx, self.fold)
