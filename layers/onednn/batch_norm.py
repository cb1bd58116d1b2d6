"""BatchNorm by oneDNN, with the batch's statistics or the stored ones, in the layout the bottom has."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from brew.cpu import onednn
from brew.cpu.onednn import Description, Operation
from brew.layer import Array, Arrays, Buffer, Implementation, Prepared, Shapes, Unsupported, Wanted
from brew.layer.arrays import following
from brew.layer.layout import Layout
from brew.layers.batch_norm import BatchNorm
from brew.ops.in_place import overwrites

from ._sums import copy


@BatchNorm.runs_on("cpu", "onednn")
class _OneDNN(Implementation[BatchNorm]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if len(shapes.x[0]) != 4 or 0 in shapes.x[0]:
            raise Unsupported("only 4 axes, and none empty")
        layout = bottoms[0]
        n, channels, height, width = shapes.x[0]
        terms = n * height * width
        self.unbias = np.float32(terms / (terms - 1) if terms > 1 else 1.0)
        self.x, self.channels = onednn.describe(shapes.x[0], layout), Description((channels,), "a")
        stored = self.layer.stored
        flags, eps = onednn.USE_GLOBAL_STATS * stored, ctypes.c_float(self.layer.eps)
        # Only in training does oneDNN tell the batch's statistics.
        kind = onednn.FORWARD_TRAINING if wanted.backward or not stored else onednn.FORWARD_INFERENCE
        make = "batch_normalization"
        self.forward_op = Operation(f"{make}_forward", kind, self.x, self.x, eps, flags)
        if wanted.bottoms[0]:
            arguments = (onednn.BACKWARD_DATA, self.x, self.x, self.x, eps, flags)
            self.backward_op = Operation(f"{make}_backward", *arguments, hint=self.forward_op)
        self.keeps_x = wanted.bottoms[0] and not stored and overwrites(self.layer.param)
        buffers = {name: Buffer((channels,), kept=wanted.backward) for name in ("mean", "variance")}
        buffers["unbiased"] = Buffer((channels,))
        if self.keeps_x:
            buffers["x"] = Buffer(layout.stored(shapes.x[0]), saved=True)
        return Prepared(following(bottoms, shapes), buffers)

    def bind(self, io: Arrays) -> None:
        x = io.x[0]
        if self.keeps_x:
            self.keep = copy(x, io.work["x"])
            x = io.work["x"]
        statistics = {
            onednn.MEAN: (self.channels, io.work["mean"]), onednn.VARIANCE: (self.channels, io.work["variance"])
        }  # fmt: skip
        self.run = self.forward_op.bind({onednn.SRC: (self.x, x), onednn.DST: (self.x, io.y[0]), **statistics})
        if io.dx and io.dx[0] is not None:
            gradients = {onednn.DIFF_DST: (self.x, io.dy[0]), onednn.DIFF_SRC: (self.x, io.dx[0])}
            self.run_back = self.backward_op.bind({onednn.SRC: (self.x, x), **gradients, **statistics})

    def forward(self, io: Arrays) -> None:
        self.again(io)
        if not self.layer.stored:
            mean, variance = io.work["mean"], io.work["variance"]
            np.multiply(variance, self.unbias, out=io.work["unbiased"])
            self._update(io.w, mean, io.work["unbiased"])

    def again(self, io: Arrays) -> None:
        """Everything but the averages."""
        if self.layer.stored:
            self._read(io.w, io.work["mean"], io.work["variance"])
        if self.keeps_x:
            self.keep()
        self.run()

    @staticmethod
    def _read(w: list[Array], mean: Array, variance: Array) -> None:
        factor = 0 if w[2][0] == 0 else 1 / w[2][0]
        np.multiply(w[0], factor, out=mean)
        np.multiply(w[1], factor, out=variance)

    def _update(self, w: list[Array], *values: Array | int) -> None:
        for blob, value in zip(w, (*values, 1), strict=True):
            np.multiply(blob, self.layer.keep, out=blob)
            np.add(blob, value, out=blob)

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is not None:
            self.run_back()
