"""Softmax over the channels of large blobs by oneDNN, in the layout the bottom has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brew.cpu import onednn
from brew.cpu.onednn import Operation
from brew.layer import Arrays, Buffer, Implementation, Shapes, Unsupported, Wanted, count
from brew.layer.layout import Layout, Layouts
from brew.layers.softmax import Softmax

_LARGE = 1 << 16  # elements; below, NumPy's few passes cost no more


@Softmax.runs_on("cpu", "onednn")
class _OneDNN(Implementation[Softmax]):
    follows = True

    def layouts(self, shapes: Shapes, bottoms: Sequence[Layout], wanted: Wanted) -> Layouts:
        if count(shapes.x[0]) < _LARGE or len(shapes.x[0]) > 5:
            raise Unsupported("small, or of many axes")
        self.layout = bottoms[0]
        return super().layouts(shapes, bottoms, wanted)

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        shape = shapes.x[0]
        axis = self.layer.axis(self.layer.param.softmax_param.axis, len(shape), "softmax_param", "axis")
        self.x = onednn.describe(shape, self.layout)
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        self.forward_op = Operation("softmax_forward", kind, onednn.SOFTMAX, self.x, self.x, axis)
        if wanted.bottoms[0]:
            arguments = (onednn.SOFTMAX, self.x, self.x, self.x, axis)
            self.backward_op = Operation("softmax_backward", *arguments, hint=self.forward_op)
        return {}

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
