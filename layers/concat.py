"""Concat: the bottoms joined along an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brew.layer import Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, View, Wanted, at_least
from brew.layer.registry import register_layer
from brew.ops.rows import join, join_cuda, part, part_cuda
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class Concat(Layer):
    """Joins bottoms that agree in every axis but one. A single bottom is passed on as it is.

    Bottoms  any number, at least 1   (... x n_i x ...)
    Top      y                        (... x sum of n_i x ...)
    Param    concat_param.axis, default 1, negative counts from the end; concat_dim is its older name
    Example  bottom: "a" bottom: "b" top: "y" concat_param { axis: 1 }
    """

    type = "Concat"
    bottoms = at_least(1)
    reads = frozenset()
    only_moves = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        concat = param.concat_param
        self.field = "concat_dim" if concat.HasField("concat_dim") else "axis"
        if self.field == "concat_dim" and concat.HasField("axis"):
            raise self.error("axis and concat_dim mean the same; one of them is enough", "concat_param", "axis")
        self.number: int = getattr(concat, self.field)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        axis = self.joined(bottom[0])
        rest = [(*shape[:axis], *shape[axis + 1 :]) for shape in bottom]
        if any(len(s) != len(bottom[0]) for s in bottom) or any(r != rest[0] for r in rest):
            expected = f"bottoms that differ in axis {axis} only"
            hint = "are kernel, stride and pad of the layers before right for planes of one size?"
            raise self.shape_error(expected, bottom, "concat_param", self.field, hint=hint)
        return [(*bottom[0][:axis], sum(shape[axis] for shape in bottom), *bottom[0][axis + 1 :])]

    def joined(self, bottom: Shape) -> int:
        """The axis along which bottoms are joined, counted from the front."""
        return self.axis(self.number, len(bottom), "concat_param", self.field)

    def view(self, top: int) -> View | None:
        return View(0) if len(self.param.bottom) == 1 else None


class _Concat(Implementation[Concat]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.axis = self.layer.joined(shapes.x[0])
        self.widths = [shape[self.axis] for shape in shapes.x]
        return {}


@Concat.runs_on("cpu")
class _CPU(_Concat):
    def forward(self, io: Arrays) -> None:
        if len(io.x) > 1:
            join(io.x, io.y[0], self.axis)

    def backward(self, io: Arrays) -> None:
        part(io.dy[0], io.dx, self.widths, self.axis)


@Concat.runs_on("cuda")
class _CUDA(_Concat):
    def forward(self, io: Arrays) -> None:
        if len(io.x) > 1:
            join_cuda(io.x, io.y[0], self.axis)

    def backward(self, io: Arrays) -> None:
        part_cuda(io.dy[0], io.dx, self.widths, self.axis)
