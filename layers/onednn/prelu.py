"""PReLU by oneDNN, in the layout the bottom has."""

from __future__ import annotations

from collections.abc import Sequence

from brew.cpu import onednn
from brew.cpu.onednn import Description, Operation
from brew.layer import Arrays, Buffer, Implementation, Prepared, Shapes, Unsupported, Wanted
from brew.layer.arrays import following
from brew.layer.layout import Layout
from brew.layers.prelu import PReLU
from brew.ops.in_place import overwrites

from ._sums import copy


@PReLU.runs_on("cpu", "onednn")
class _OneDNN(Implementation[PReLU]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if len(shapes.x[0]) != 4 or 0 in shapes.x[0] or self.layer.param.prelu_param.channel_shared:
            raise Unsupported("only a slope for each channel of 4 axes")
        stored, channels = bottoms[0].stored(shapes.x[0]), shapes.x[0][1]
        self.x = onednn.describe(shapes.x[0], bottoms[0])
        some = Description((1, channels, 1, 1), "any")
        self.plain = onednn.describe((1, channels, 1, 1))
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        self.forward_op = Operation("prelu_forward", kind, self.x, some, self.x)
        self.slopes = self.forward_op.description("weights")
        self.keeps_x = wanted.backward and overwrites(self.layer.param)
        buffers = {"slopes": Buffer((self.slopes.bytes // 4,))}
        if wanted.backward:
            arguments = (self.x, some, self.x, some, self.x)
            self.backward_op = Operation("prelu_backward", *arguments, hint=self.forward_op)
            self.gradient = self.backward_op.description("diff_weights")
            buffers |= {"sums": Buffer((self.gradient.bytes // 4,)), "da": Buffer((channels,))}
            if self.backward_op.description("weights") != self.slopes:
                raise Unsupported("slopes that lie in two ways")
            if not wanted.bottoms[0]:
                buffers["dx"] = Buffer(stored)
        if self.keeps_x:
            buffers["x"] = Buffer(stored, saved=True)
        return Prepared(following(bottoms, shapes), buffers)

    def bind(self, io: Arrays) -> None:
        work, x = io.work, io.x[0]
        if self.keeps_x:
            self.keep = copy(x, work["x"])
            x = work["x"]
        slopes = (self.slopes, work["slopes"])
        self.order = Operation.reorder(self.plain, self.slopes).bind(
            {onednn.SRC: (self.plain, io.w[0]), onednn.DST: slopes}
        )
        self.run = self.forward_op.bind(
            {onednn.SRC: (self.x, x), onednn.WEIGHTS: slopes, onednn.DST: (self.x, io.y[0])}
        )
        if not io.dy:
            return
        dx, gradient = work["dx"] if io.dx[0] is None else io.dx[0], (self.gradient, work["sums"])
        self.run_back = self.backward_op.bind(
            {onednn.SRC: (self.x, x), onednn.WEIGHTS: slopes, onednn.DIFF_DST: (self.x, io.dy[0]),
             onednn.DIFF_SRC: (self.x, dx), onednn.DIFF_WEIGHTS: gradient}
        )  # fmt: skip
        self.order_back = Operation.reorder(self.gradient, self.plain).bind(
            {onednn.SRC: gradient, onednn.DST: (self.plain, work["da"])}
        )

    def forward(self, io: Arrays) -> None:
        if self.keeps_x:
            self.keep()
        self.order()
        self.run()

    def backward(self, io: Arrays) -> None:
        self.order()
        self.run_back()
        if io.dw[0] is not None:
            self.order_back()
            io.dw[0] += io.work["da"]
