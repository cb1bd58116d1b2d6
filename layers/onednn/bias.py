"""Bias by oneDNN: one parameter for each channel of a 4-D blob, in the layout the bottom has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from brew.layer import Arrays, Buffer, Implementation, Shapes, Wanted
from brew.layers.bias import Bias
from brew.layout import Layout, Layouts
from brew.onednn import Unsupported
from brew.ops.fold import fold

from ._affine import Affine


@Bias.runs_on("cpu", "onednn")
class _OneDNN(Implementation[Bias]):
    follows = True

    def layouts(self, shapes: Shapes, bottoms: Sequence[Layout], wanted: Wanted) -> Layouts:
        if len(shapes.x) != 1 or len(shapes.x[0]) != 4 or self.layer.fold(shapes.x) != fold(shapes.x[0], 1):
            raise Unsupported("only a parameter for each channel")
        self.layout = bottoms[0]
        return super().layouts(shapes, bottoms, wanted)

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self.affine = Affine(shapes.x[0], self.layout, scale=False, shift=True, wanted=wanted)
        if not wanted.backward:
            return {}
        buffers = {"sums": Buffer((2, shapes.x[0][1]))}
        return buffers if wanted.bottoms[0] else {**buffers, "dx": Buffer(self.layout.stored(shapes.x[0]))}

    def bind(self, io: Arrays) -> None:
        self.run = self.affine.bind(io.x[0], None, io.w[0], io.y[0])
        if io.dx:
            # Backward reads no values; oneDNN wants an array for x, and the gradient will do.
            dx = io.work["dx"] if io.dx[0] is None else io.dx[0]
            self.run_back = self.affine.bind_back(io.dy[0], None, io.dy[0], dx, tuple(io.work["sums"]))

    def forward(self, io: Arrays) -> None:
        self.run()

    def backward(self, io: Arrays) -> None:
        self.run_back()
        if (db := io.dw[0]) is not None:
            db += io.work["sums"][1]
