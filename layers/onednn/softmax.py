"""Softmax over the channels of large blobs by oneDNN, in the layout the bottom has."""

from __future__ import annotations

from collections.abc import Sequence

from brew.cpu import onednn
from brew.cpu.onednn import Operation
from brew.layer import Arrays, Implementation, Prepared, Shapes, Unsupported, Wanted, count
from brew.layer.arrays import following
from brew.layer.layout import Layout
from brew.layers.softmax import Softmax

_LARGE = 1 << 16  # elements; below, NumPy's few passes cost no more


@Softmax.runs_on("cpu", "onednn")
class _OneDNN(Implementation[Softmax]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if count(shapes.x[0]) < _LARGE or len(shapes.x[0]) > 5:
            raise Unsupported("small, or of many axes")
        shape = shapes.x[0]
        axis = self.layer.axis(self.layer.param.softmax_param.axis, len(shape), "softmax_param", "axis")
        self.x = onednn.describe(shape, bottoms[0])
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        self.forward_op = Operation("softmax_forward", kind, onednn.SOFTMAX, self.x, self.x, axis)
        if wanted.bottoms[0]:
            arguments = (onednn.SOFTMAX, self.x, self.x, self.x, axis)
            self.backward_op = Operation("softmax_backward", *arguments, hint=self.forward_op)
        return Prepared(following(bottoms, shapes), {})

    def bind(self, io: Arrays) -> None:
        y = (self.x, io.y[0])
        self.run = self.forward_op.bind({onednn.SRC: (self.x, io.x[0]), onednn.DST: y})
        if io.dx and io.dx[0] is not None:
            gradients = {onednn.DIFF_DST: (self.x, io.dy[0]), onednn.DIFF_SRC: (self.x, io.dx[0])}
            self.run_back = self.backward_op.bind({onednn.DST: y, **gradients})

    def forward(self, io: Arrays) -> None:
        self.run()

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is not None:
            self.run_back()
