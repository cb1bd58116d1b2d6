"""LRN by oneDNN, in the layout the bottom has."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

from brew.cpu import onednn
from brew.cpu.onednn import Operation
from brew.layer import Arrays, Buffer, Implementation, Prepared, Shapes, Unsupported, Wanted
from brew.layer.arrays import following
from brew.layer.layout import PLAIN, Layout
from brew.layers.lrn import LRN


@LRN.runs_on("cpu", "onednn")
class _OneDNN(Implementation[LRN]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if bottoms[0] == PLAIN or 0 in shapes.x[0]:
            raise Unsupported("the plain layout, or an empty blob")
        if self.layer.param.lrn_param.local_size == 1:  # oneDNN 3.12 crashes where it makes code for it, channels last
            raise Unsupported("a window of one value")
        layer, size = self.layer, self.layer.param.lrn_param.local_size
        self.x = onednn.describe(shapes.x[0], bottoms[0])
        algorithm = onednn.LRN_WITHIN_CHANNEL if layer.within else onednn.LRN_ACROSS_CHANNELS
        alpha, beta, k = (ctypes.c_float(n) for n in (layer.param.lrn_param.alpha, layer.beta, layer.base))
        numbers = (ctypes.c_int64(size), alpha, beta, k)
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        self.forward_op = Operation("lrn_forward", kind, algorithm, self.x, self.x, *numbers)
        self.workspace = self.forward_op.workspace
        if wanted.bottoms[0]:
            arguments = (algorithm, self.x, self.x, self.x, *numbers)
            self.backward_op = Operation("lrn_backward", *arguments, hint=self.forward_op)
        scale = {} if self.workspace is None else {"scale": Buffer((self.workspace.bytes // 4,), saved=True)}
        return Prepared(following(bottoms, shapes), scale)

    def bind(self, io: Arrays) -> None:
        scale = {} if self.workspace is None else {onednn.WORKSPACE: (self.workspace, io.work["scale"])}
        x = (self.x, io.x[0])
        self.run = self.forward_op.bind({onednn.SRC: x, onednn.DST: (self.x, io.y[0]), **scale})
        if io.dx and io.dx[0] is not None:
            gradients = {onednn.DIFF_DST: (self.x, io.dy[0]), onednn.DIFF_SRC: (self.x, io.dx[0])}
            self.run_back = self.backward_op.bind({onednn.SRC: x, **gradients, **scale})

    def forward(self, io: Arrays) -> None:
        self.run()

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is not None:
            self.run_back()
