"""Filter: the items of its bottoms that a selector keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Shape, Shapes, Wanted, at_least, count
from brew.layer.registry import register_layer
from brew.ops.take import take_rows, take_rows_cuda
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class Filter(Layer):
    """Passes on the items, along axis 0, for which the selector is not 0, in their order.

    Bottoms  x, ...     (N x ...), at least one
             selector   (N, or N x 1 x ...), the last of them
    Tops     y, ...     (K x ...), one for each x; K is the number of items kept, N until the first forward
    Example  bottom: "x" bottom: "keep" top: "y"

    K may be 0. The gradient of an item that was dropped is 0; none for the selector.
    """

    type = "Filter"
    bottoms = at_least(2)
    tops = at_least(1)
    reads = frozenset()
    only_moves = True

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        if len(param.top) != len(param.bottom) - 1:
            message = f"makes one top for each bottom but the last, the selector: {len(param.bottom) - 1}"
            raise self.error(f"{message}, not {len(param.top)}", "top")
        self.no_gradient = frozenset({len(param.bottom) - 1})

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        *inputs, selector = bottom
        if not selector or count(selector[1:]) != 1:
            raise self.shape_error("a selector, the last bottom, with one number per item", bottom)
        if any(shape[:1] != selector[:1] for shape in inputs):
            raise self.shape_error("as many items in each bottom as the selector has numbers", bottom)
        return inputs


class _Filter(Implementation[Filter]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.items = shapes.x[-1][0]
        # The items kept; and for each item its place among them, or -1.
        return {name: Buffer((self.items,), np.int64, kept=True) for name in ("kept", "place")}

    def choose(self, selector: Array) -> tuple[Array, Array]:
        """The items kept, and the places, as host arrays."""
        kept = np.flatnonzero(selector)
        place = np.full(self.items, -1, np.int64)
        place[kept] = np.arange(len(kept))
        self.kept = len(kept)
        return np.concatenate([kept, np.zeros(self.items - len(kept), np.int64)]), place

    def shapes(self, io: Arrays) -> list[Shape]:
        return [(self.kept, *x.shape[1:]) for x in io.x[:-1]]


@Filter.runs_on("cpu")
class _CPU(_Filter):
    def top_shapes(self, io: Arrays) -> Sequence[Shape]:
        io.work["kept"][...], io.work["place"][...] = self.choose(io.x[-1])
        return self.shapes(io)

    def forward(self, io: Arrays) -> None:
        for x, y in zip(io.x[:-1], io.y, strict=True):
            take_rows(x, io.work["kept"][: self.kept], y)

    def backward(self, io: Arrays) -> None:
        for dx, dy in zip(io.dx[:-1], io.dy, strict=True):
            if dx is not None:
                dx.fill(0)
                dx[io.work["kept"][: self.kept]] = dy


@Filter.runs_on("cuda")
class _CUDA(_Filter):
    def top_shapes(self, io: Arrays) -> Sequence[Shape]:
        kept, place = self.choose(cuda.asnumpy(io.x[-1]))  # a shape is the host's: this layer waits for the device
        cuda.upload(io.work["kept"], kept)
        cuda.upload(io.work["place"], place)
        return self.shapes(io)

    def forward(self, io: Arrays) -> None:
        for x, y in zip(io.x[:-1], io.y, strict=True):
            take_rows_cuda(x, io.work["kept"][: self.kept], y)

    def backward(self, io: Arrays) -> None:
        for dx, dy in zip(io.dx[:-1], io.dy, strict=True):
            if dx is not None:
                take_rows_cuda(dy, io.work["place"], dx, missing=0)
