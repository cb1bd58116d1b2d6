"""Bias by oneDNN: one parameter for each channel of a 4-D blob, in the layout the bottom has."""

from __future__ import annotations

from collections.abc import Mapping

from brew.layer import Arrays, Buffer, Shapes, Wanted
from brew.layer.layout import Layout
from brew.layers.bias import Bias

from ._affine import Affine, PerChannel


@Bias.runs_on("cpu", "onednn")
class _OneDNN(PerChannel[Bias]):
    def prepare_as(self, layout: Layout, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.affine = Affine(shapes.x[0], layout, scale=False, shift=True, wanted=wanted)
        if not wanted.backward:
            return {}
        buffers = {"sums": Buffer((2, shapes.x[0][1]))}
        return buffers if wanted.bottoms[0] else {**buffers, "dx": Buffer(layout.stored(shapes.x[0]))}

    def bind(self, io: Arrays) -> None:
        self.run = self.affine.bind(io.x[0], None, io.w[0], io.y[0])
        if io.dy:
            # Backward reads no values; oneDNN wants an array for x, and the gradient will do.
            dx = io.work["dx"] if io.dx[0] is None else io.dx[0]
            self.run_back = self.affine.bind_back(io.dy[0], None, io.dy[0], dx, tuple(io.work["sums"]))

    def forward(self, io: Arrays) -> None:
        self.run()

    def backward(self, io: Arrays) -> None:
        self.run_back()
        if (db := io.dw[0]) is not None:
            db += io.work["sums"][1].reshape(db.shape)
