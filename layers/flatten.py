"""Flatten: several axes become one."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Arrays, Implementation, Layer, Shape, View, count
from brew.layer.registry import register_layer


@register_layer
class Flatten(Layer):
    """The axes from `axis` to `end_axis`, both included, become one; the memory is the bottom's.

    Bottom   x   (any shape)
    Top      y   (before x flattened x after)
    Params   flatten_param.axis, default 1; flatten_param.end_axis, default -1 (the last)
    Example  bottom: "x" top: "y"
    """

    type = "Flatten"
    reads = frozenset()
    only_moves = True

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        shape, param = bottom[0], self.param.flatten_param
        start = self.axis(param.axis, len(shape), "flatten_param", "axis")
        end = self.axis(param.end_axis, len(shape), "flatten_param", "end_axis")
        if end < start - 1:
            message = f"end_axis {param.end_axis} stands before axis {param.axis}"
            raise self.error(message, "flatten_param", "end_axis")
        return [(*shape[:start], count(shape[start : end + 1]), *shape[end + 1 :])]

    def view(self, top: int) -> View:
        return View(0)


@Flatten.runs_on("cuda")
@Flatten.runs_on("cpu")
class _Nothing(Implementation[Flatten]):
    """The top and its gradient are views."""

    def forward(self, io: Arrays) -> None:
        pass

    def backward(self, io: Arrays) -> None:
        pass
