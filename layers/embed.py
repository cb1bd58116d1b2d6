"""Embed: a learned row for every index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew.layer import Array, Arrays, Buffer, Context, Implementation, Layer, Param, Shape, Shapes, Wanted, count
from brew.layer.registry import register_layer
from brew.ops.bias import add_bias, add_bias_cuda, add_bias_gradient, add_bias_gradient_cuda
from brew.ops.take import add_rows, add_rows_cuda, row_numbers, row_numbers_cuda, take_rows, take_rows_cuda
from brew.proto.brew_pb2 import LayerParameter


@register_layer
class Embed(Layer):
    """Looks indices up in a learned table: the product of the table with one-hot rows, without the rows.

    Bottom   x   (any shape), integers from 0 to input_dim - 1
    Top      y   (the shape of x, num_output)
    Params   embed_param.input_dim, embed_param.num_output, which must be given
             embed_param.weight_filler, default zeros
             embed_param.bias_term, default true; embed_param.bias_filler, default zeros
    Blobs    W (input_dim, num_output); b (num_output), with bias_term
    Example  bottom: "word" top: "y" embed_param { input_dim: 10 num_output: 4 weight_filler { type: "xavier" } }

    An index that is no such integer is a DataError on the CPU and gives NaN on CUDA; no gradient for it.
    """

    type = "Embed"
    weights_in = "embed_param"
    reads = frozenset()
    no_gradient = frozenset({0})

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        self.own = param.embed_param
        for field in ("input_dim", "num_output"):
            if getattr(self.own, field) < 1:
                raise self.error(f"{field} must be given and at least 1", "embed_param", field)

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        return [(*bottom[0], self.own.num_output)]

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        rows, width = self.own.input_dim, self.own.num_output
        params = [Param((rows, width), self.own.weight_filler), Param((width,), self.own.bias_filler)]
        return params if self.own.bias_term else params[:1]


class _Embed(Implementation[Embed]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.matrix = count(shapes.x[0]), shapes.w[0][1]  # y
        return {"numbers": Buffer((self.matrix[0],), np.int64, kept=True)}

    def bias(self, blobs: Sequence[Array | None]) -> Array | None:
        """The bias, or its gradient, of w or dw."""
        return blobs[1] if len(blobs) == 2 else None


@Embed.runs_on("cpu")
class _CPU(_Embed):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        return {**buffers, "scratch": Buffer(self.matrix)} if wanted.params[0] else buffers

    def forward(self, io: Arrays) -> None:
        numbers, y = io.work["numbers"], io.y[0].reshape(self.matrix)
        row_numbers(self.layer, io.x[0], self.layer.own.input_dim, numbers)
        take_rows(io.w[0], numbers, y)
        if (bias := self.bias(io.w)) is not None:
            add_bias(y[:, :, None], bias)

    def backward(self, io: Arrays) -> None:
        dy = io.dy[0].reshape(self.matrix)
        if io.dw[0] is not None:
            add_rows(dy, io.work["numbers"], io.dw[0], io.work["scratch"])
        if (db := self.bias(io.dw)) is not None:
            add_bias_gradient(dy[:, :, None], db)


@Embed.runs_on("cuda")
class _CUDA(_Embed):
    def forward(self, io: Arrays) -> None:
        numbers, y = io.work["numbers"], io.y[0].reshape(self.matrix)
        row_numbers_cuda(io.x[0], self.layer.own.input_dim, numbers)
        take_rows_cuda(io.w[0], numbers, y)
        if (bias := self.bias(io.w)) is not None:
            add_bias_cuda(y[:, :, None], bias)

    def backward(self, io: Arrays) -> None:
        dy = io.dy[0].reshape(self.matrix)
        if io.dw[0] is not None:
            add_rows_cuda(dy, io.work["numbers"], io.dw[0])
        if (db := self.bias(io.dw)) is not None:
            add_bias_gradient_cuda(dy[:, :, None], db)
