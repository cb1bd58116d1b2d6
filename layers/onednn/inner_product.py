"""InnerProduct by oneDNN.

Forward of small weights is one product with the bias. Where they are large or the batch is small, the weights stand
where oneDNN expects the batch and the batch where it expects weights: so the large array is read as it lies, and only
the small one is reordered. What comes out is the top, transposed. Backward is two products.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from brew.cpu import onednn
from brew.cpu.onednn import Description, Operation
from brew.cpu.onednn.after import After
from brew.cpu.onednn.gemm import gemm
from brew.layer import Arrays, Buffer, Implementation, Prepared, Shapes, Unsupported, Wanted, count
from brew.layer.layout import PLAIN, Layout, Layouts
from brew.layers.inner_product import InnerProduct

_LARGE = 1 << 20  # weights; above, packing them as they are read costs more than turning the top around
_FEW = 32  # rows


class InnerProductOneDNN(Implementation[InnerProduct]):
    """`direct`: forward is one product."""

    direct = False

    def prepare_in(
        self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted, after: After | None = None
    ) -> Prepared:
        """`after` is done to the top before it is written; Unsupported where forward is not direct."""
        x, layout = shapes.x[0], bottoms[0]
        same = layout != PLAIN and x[2:] == (1, 1) and x[1] % layout.block == 0  # the order of the plain layout
        return Prepared(Layouts((layout if same else PLAIN,), (PLAIN,)), self._prepare(shapes, wanted, after))

    def _prepare(self, shapes: Shapes, wanted: Wanted, after: After | None) -> Mapping[str, Buffer]:
        axis, self.outputs = self.layer.first_axis(shapes.x[0]), self.layer.own.num_output
        self.rows, self.inputs = count(shapes.x[0][:axis]), count(shapes.x[0][axis:])
        if not self.rows or not self.inputs:
            raise Unsupported("an empty blob")
        buffers = {"db": Buffer((self.outputs,))}
        self.direct = self.rows >= _FEW and self.inputs * self.outputs <= _LARGE
        if self.direct:
            self._prepare_direct(len(shapes.w) > 1, after)
            return buffers
        if after is not None:
            raise Unsupported("only a direct product does more")
        if self.layer.own.transpose:
            return buffers
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        self.w, self.y = (Description((self.outputs, n), "ab") for n in (self.inputs, self.rows))
        self.x, some = (Description((self.rows, self.inputs), tag) for tag in ("ab", "any"))
        self.forward_op = Operation("inner_product_forward", kind, self.w, some, None, self.y)
        self.packed = self.forward_op.description("weights")
        return {**buffers, "x": Buffer((self.packed.bytes // 4,)), "y": Buffer((self.outputs, self.rows))}

    def _prepare_direct(self, biased: bool, after: After | None) -> None:
        self.x, self.y = (Description((self.rows, n), "ab") for n in (self.inputs, self.outputs))
        self.w = Description((self.inputs, self.outputs), "ab" if self.layer.own.transpose else "ba")
        self.bias = Description((1, self.outputs), "ab") if biased else None
        self.forward_op = Operation("matmul", self.x, self.w, self.bias, self.y, attributes=after)

    def bind(self, io: Arrays) -> None:
        self.products = self._bind_direct(io) if self.direct else self._bind_packed(io)
        self._bind_back(io)

    def _bind_direct(self, io: Arrays) -> list[Callable[[], None]]:
        bias = {} if self.bias is None else {onednn.BIAS: (self.bias, io.w[1])}
        arrays = {onednn.SRC: (self.x, io.x[0]), onednn.WEIGHTS: (self.w, io.w[0]), onednn.DST: (self.y, io.y[0])}
        return [self.forward_op.bind({**arrays, **bias})]

    def _bind_packed(self, io: Arrays) -> list[Callable[[], None]]:
        x, y, w = io.x[0].reshape(self.rows, self.inputs), io.y[0].reshape(self.rows, -1), io.w[0]
        if self.layer.own.transpose:
            return [gemm(x, w, y)]
        packed, turned = (self.packed, io.work["x"]), (self.y, io.work["y"])
        return [
            Operation.reorder(self.x, self.packed).bind({onednn.SRC: (self.x, x), onednn.DST: packed}),
            self.forward_op.bind({onednn.SRC: (self.w, w), onednn.WEIGHTS: packed, onednn.DST: turned}),
        ]

    def _bind_back(self, io: Arrays) -> None:
        transpose = self.layer.own.transpose
        x, w = io.x[0].reshape(self.rows, self.inputs), io.w[0]
        dy = self.dy = (io.dy or io.y)[0].reshape(self.rows, -1)
        self.products_back = []
        if io.dx and (dx := io.dx[0]) is not None:
            self.products_back.append(gemm(dy, w, dx.reshape(self.rows, self.inputs), trans_b=transpose))
        if io.dw and (dw := io.dw[0]) is not None:
            left, right = (x, dy) if transpose else (dy, x)
            self.products_back.append(gemm(left, right, dw, trans_a=True, beta=1.0))

    def forward(self, io: Arrays) -> None:
        for run in self.products:
            run()
        if self.direct:
            return
        y = io.y[0].reshape(self.rows, -1)
        result = y if self.layer.own.transpose else io.work["y"].T
        if len(io.w) > 1:
            np.add(result, io.w[1], out=y)
        elif result is not y:
            np.copyto(y, result)

    def backward(self, io: Arrays) -> None:
        for run in self.products_back:
            run()
        if len(io.dw) > 1 and (db := io.dw[1]) is not None:
            db += np.add.reduce(self.dy, axis=0, out=io.work["db"])


InnerProduct.runs_on("cpu", "onednn")(InnerProductOneDNN)
