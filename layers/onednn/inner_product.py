"""InnerProduct by oneDNN.

Forward, the weights stand where oneDNN expects the batch and the batch where it expects weights: so the large array is
read as it lies, and only the small one is reordered. What comes out is the top, transposed. Backward is two products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import onednn
from brew.layer import Arrays, Buffer, Implementation, Shapes, Wanted, count
from brew.layers.inner_product import InnerProduct
from brew.layout import PLAIN, Layout, Layouts
from brew.onednn import Description, Operation, Unsupported
from brew.onednn_gemm import gemm


@InnerProduct.runs_on("cpu", "onednn")
class _OneDNN(Implementation[InnerProduct]):
    def layouts(self, shapes: Shapes, bottoms: Sequence[Layout], wanted: Wanted) -> Layouts:
        x, layout = shapes.x[0], bottoms[0]
        same = layout != PLAIN and x[2:] == (1, 1) and x[1] % layout.block == 0  # the order of the plain layout
        return Layouts((layout if same else PLAIN,), (PLAIN,))

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        axis, outputs = self.layer.first_axis(shapes.x[0]), self.layer.own.num_output
        self.rows, self.inputs = count(shapes.x[0][:axis]), count(shapes.x[0][axis:])
        if not self.rows or not self.inputs:
            raise Unsupported("an empty blob")
        buffers = {"db": Buffer((outputs,))}
        if self.layer.own.transpose:
            return buffers
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        self.w, self.y = Description((outputs, self.inputs), "ab"), Description((outputs, self.rows), "ab")
        self.x = Description((self.rows, self.inputs), "ab")
        some = Description((self.rows, self.inputs), "any")
        self.forward_op = Operation("inner_product_forward", kind, self.w, some, None, self.y)
        self.packed = self.forward_op.description("weights")
        return {**buffers, "x": Buffer((self.packed.bytes // 4,)), "y": Buffer((outputs, self.rows))}

    def bind(self, io: Arrays) -> None:
        transpose, work = self.layer.own.transpose, io.work
        x, y, w = io.x[0].reshape(self.rows, self.inputs), io.y[0].reshape(self.rows, -1), io.w[0]
        self.products = []
        if transpose:
            self.products.append(gemm(x, w, y))
        else:
            packed = (self.packed, work["x"])
            self.products.append(
                Operation.reorder(self.x, self.packed).bind({onednn.SRC: (self.x, x), onednn.DST: packed})
            )
            self.products.append(
                self.forward_op.bind({onednn.SRC: (self.w, w), onednn.WEIGHTS: packed, onednn.DST: (self.y, work["y"])})
            )
        self.products_back = []
        dy = io.dy[0].reshape(self.rows, -1) if io.dy else y
        if io.dx and (dx := io.dx[0]) is not None:
            self.products_back.append(gemm(dy, w, dx.reshape(self.rows, self.inputs), trans_b=transpose))
        if io.dw and (dw := io.dw[0]) is not None:
            left, right = (x, dy) if transpose else (dy, x)
            self.products_back.append(gemm(left, right, dw, trans_a=True, beta=1.0))

    def forward(self, io: Arrays) -> None:
        for run in self.products:
            run()
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
            db += np.sum(io.dy[0].reshape(self.rows, -1), axis=0, out=io.work["db"])
