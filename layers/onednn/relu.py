"""ReLU by oneDNN, in the layout the bottom has."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

from brew import onednn
from brew.layer import Arrays, Buffer, Implementation, Shapes, Wanted
from brew.layers.relu import ReLU
from brew.onednn import Description, Operation, Unsupported


@ReLU.runs_on("cpu", "onednn")
class _OneDNN(Implementation[ReLU]):
    """The blob is one long row, zeros behind a blocked layout's channels included: they stay zeros."""

    follows = True

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        if self.layer.slope < 0:
            raise Unsupported("a slope below 0, in place")
        self.wanted = wanted
        return {}

    def bind(self, io: Arrays) -> None:
        row = Description((io.x[0].size,), "a")
        kind = onednn.FORWARD_TRAINING if self.wanted.backward else onednn.FORWARD_INFERENCE
        slope, zero = ctypes.c_float(self.layer.slope), ctypes.c_float(0)
        forward = Operation("eltwise_forward", kind, onednn.RELU, row, row, slope, zero)
        self.run = forward.bind({onednn.SRC: (row, io.x[0]), onednn.DST: (row, io.y[0])})
        if io.dx and io.dx[0] is not None:
            back = Operation("eltwise_backward", onednn.RELU, row, row, row, slope, zero, hint=forward)
            self.run_back = back.bind(
                {onednn.SRC: (row, io.x[0]), onednn.DIFF_DST: (row, io.dy[0]), onednn.DIFF_SRC: (row, io.dx[0])}
            )

    def forward(self, io: Arrays) -> None:
        self.run()

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is not None:
            self.run_back()
