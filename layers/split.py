"""Split: one blob under several names; their gradients are summed."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Arrays, Implementation, Layer, Shape, View, at_least
from brew.layer.registry import register_layer
from brew.ops.weighted_sum import weighted_sum, weighted_sum_cuda


@register_layer
class Split(Layer):
    """Every top is the bottom's memory. Nets put a Split in where several layers read one blob.

    Bottom   x   (any shape)
    Tops     any number, each of the shape of x; dx is the sum of their gradients
    Example  bottom: "x" top: "a" top: "b"
    """

    type = "Split"
    tops = at_least(1)
    reads = frozenset()
    only_moves = True
    is_split = True

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [bottom[0]] * len(self.param.top)

    def view(self, top: int) -> View:
        return View(0, diff=len(self.param.top) == 1)


@Split.runs_on("cpu")
class _CPU(Implementation[Split]):
    def forward(self, io: Arrays) -> None:
        pass

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            weighted_sum(io.dy, [1.0] * len(io.dy), dx, None)


@Split.runs_on("cuda")
class _CUDA(Implementation[Split]):
    def forward(self, io: Arrays) -> None:
        pass

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            weighted_sum_cuda(io.dy, [1.0] * len(io.dy), dx)
