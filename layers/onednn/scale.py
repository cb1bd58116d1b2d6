"""Scale by oneDNN: one parameter for each channel of a 4-D blob, in the layout the bottom has."""

from __future__ import annotations

from collections.abc import Mapping

from brew.layer import Arrays, Buffer, Shapes, Wanted
from brew.layer.layout import Layout
from brew.layers.scale import Scale
from brew.ops.in_place import overwrites

from ._affine import Affine, PerChannel
from ._sums import copy


@Scale.runs_on("cpu", "onednn")
class _OneDNN(PerChannel[Scale]):
    def prepare_as(self, layout: Layout, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        shift = self.layer.param.scale_param.bias_term
        self.affine = Affine(shapes.x[0], layout, scale=True, shift=shift, wanted=wanted)
        stored = layout.stored(shapes.x[0])
        self.keeps_x = overwrites(self.layer.param) and wanted.params[0]
        buffers = {"x": Buffer(stored, saved=True)} if self.keeps_x else {}
        if wanted.backward:
            buffers["sums"] = Buffer((2, shapes.x[0][1]))
            if not wanted.bottoms[0]:
                buffers["dx"] = Buffer(stored)
        return buffers

    def bind(self, io: Arrays) -> None:
        x, b = io.x[0], io.w[1] if self.layer.param.scale_param.bias_term else None
        if self.keeps_x:
            self.keep = copy(x, io.work["x"])
            x = io.work["x"]
        self.run = self.affine.bind(x, io.w[0], b, io.y[0])
        if io.dy:
            dx = io.work["dx"] if io.dx[0] is None else io.dx[0]
            self.run_back = self.affine.bind_back(x, io.w[0], io.dy[0], dx, tuple(io.work["sums"]))

    def forward(self, io: Arrays) -> None:
        if self.keeps_x:
            self.keep()
        self.run()

    def backward(self, io: Arrays) -> None:
        self.run_back()
        for dw, total in zip(io.dw, io.work["sums"], strict=False):
            if dw is not None:
                dw += total.reshape(dw.shape)
