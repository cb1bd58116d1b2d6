"""BatchReindex: items of the first bottom in the order the second names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.layer import Array, Arrays, Buffer, Implementation, Layer, Shape, Shapes, Wanted, count, exactly
from brew.layer.registry import register_layer
from brew.ops.take import add_rows, add_rows_cuda, row_numbers, row_numbers_cuda, take_rows, take_rows_cuda


@register_layer
class BatchReindex(Layer):
    """Picks items along axis 0, any of them any number of times; the gradient of an item is the sum over its copies.

    Bottoms  x       (N x ...)
             index   (M), integers from 0 to N - 1
    Top      y       (M x ...) = x[index]
    Example  bottom: "x" bottom: "index" top: "y"

    An index that is no such integer is a DataError on the CPU and gives NaN on CUDA; no gradient for it.
    """

    type = "BatchReindex"
    bottoms = exactly(2)
    reads = frozenset()
    only_moves = True
    no_gradient = frozenset({1})

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        x, index = bottom
        if not x or len(index) != 1:
            raise self.shape_error("a bottom of at least 1 axis and indices of exactly 1", bottom)
        return [(*index, *x[1:])]


class _BatchReindex(Implementation[BatchReindex]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.items, self.width = shapes.x[0][0], count(shapes.x[0][1:])
        return {"numbers": Buffer(shapes.x[1], np.int64, kept=True)}

    def rows(self, blob: Array) -> Array:
        """A blob as a matrix of one item per row."""
        return blob.reshape(blob.shape[0], self.width)


@BatchReindex.runs_on("cpu")
class _CPU(_BatchReindex):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        return {**buffers, "scratch": Buffer((*shapes.x[1], self.width))} if wanted.backward else buffers

    def forward(self, io: Arrays) -> None:
        numbers = io.work["numbers"]
        row_numbers(self.layer, io.x[1], self.items, numbers)
        take_rows(self.rows(io.x[0]), numbers, self.rows(io.y[0]))

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            dx.fill(0)
            add_rows(self.rows(io.dy[0]), io.work["numbers"], self.rows(dx), io.work["scratch"])


@BatchReindex.runs_on("cuda")
class _CUDA(_BatchReindex):
    def forward(self, io: Arrays) -> None:
        numbers = io.work["numbers"]
        row_numbers_cuda(io.x[1], self.items, numbers)
        take_rows_cuda(self.rows(io.x[0]), numbers, self.rows(io.y[0]))

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None:
            cuda.zero(dx)
            add_rows_cuda(self.rows(io.dy[0]), io.work["numbers"], self.rows(dx))
