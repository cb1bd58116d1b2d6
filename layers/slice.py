"""Slice: the bottom cut into pieces along an axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from brew.layer import Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, View, Wanted, at_least
from brew.layer.registry import register_layer
from brew.ops.rows import join, join_cuda, part, part_cuda
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class Slice(Layer):
    """Cuts one bottom at the slice points, or into equal pieces where none are given; a single top is a view.

    Bottom   x   (... x n x ...)
    Tops     any number, at least 1   (... x n_i x ...)
    Params   slice_param.axis, default 1, negative counts from the end; slice_dim is its older name
             slice_param.slice_point: where each top but the first begins, increasing
    Example  bottom: "x" top: "a" top: "b" slice_param { axis: 1 slice_point: 2 }
    """

    type = "Slice"
    tops = at_least(1)
    reads = frozenset()
    only_moves = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        cut = param.slice_param
        self.field = "slice_dim" if cut.HasField("slice_dim") else "axis"
        if self.field == "slice_dim" and cut.HasField("axis"):
            raise self.error("axis and slice_dim mean the same; one of them is enough", "slice_param", "axis")
        self.number: int = getattr(cut, self.field)
        if param.top and cut.slice_point and len(cut.slice_point) != len(param.top) - 1:
            message = f"{len(param.top)} tops need {len(param.top) - 1} slice points, got {len(cut.slice_point)}"
            raise self.error(message, "slice_param", "slice_point")

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        axis = self.cut(bottom[0])
        widths = self._widths(bottom[0][axis], bottom)
        return [(*bottom[0][:axis], width, *bottom[0][axis + 1 :]) for width in widths]

    def cut(self, bottom: Shape) -> int:
        """The axis that is cut, counted from the front."""
        return self.axis(self.number, len(bottom), "slice_param", self.field)

    def _widths(self, whole: int, bottom: Sequence[Shape]) -> list[int]:
        tops, points = len(self.param.top), list(self.param.slice_param.slice_point)
        if not points:
            if whole % tops:
                expected = f"a size of the sliced axis that {tops} tops divide"
                raise self.shape_error(expected, bottom, "slice_param")
            return [whole // tops] * tops
        widths = [b - a for a, b in pairwise([0, *points, whole])]
        if min(widths) <= 0:
            expected = f"slice points {points} to increase strictly between 0 and the size of the sliced axis"
            raise self.shape_error(expected, bottom, "slice_param", "slice_point")
        return widths

    def view(self, top: int) -> View | None:
        return View(0) if len(self.param.top) == 1 else None


class _Slice(Implementation[Slice]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.axis = self.layer.cut(shapes.x[0])
        self.widths = [shape[self.axis] for shape in shapes.y]
        return {}


@Slice.runs_on("cpu")
class _CPU(_Slice):
    def forward(self, io: Arrays) -> None:
        if len(io.y) > 1:
            part(io.x[0], io.y, self.widths, self.axis)

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            join(io.dy, dx, self.axis)


@Slice.runs_on("cuda")
class _CUDA(_Slice):
    def forward(self, io: Arrays) -> None:
        if len(io.y) > 1:
            part_cuda(io.x[0], io.y, self.widths, self.axis)

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            join_cuda(io.dy, dx, self.axis)
