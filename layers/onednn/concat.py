"""Concat of whole blocks of channels."""

from __future__ import annotations

from collections.abc import Sequence

from brew.cpu.onednn import Call
from brew.layer import Arrays, Implementation, Shapes, Wanted
from brew.layer.layout import PLAIN, Layout, Layouts
from brew.layers.concat import Concat

from ._joined import Joined


@Concat.runs_on("cpu", "onednn")
class _OneDNN(Implementation[Concat]):
    follows = True

    def layouts(self, shapes: Shapes, bottoms: Sequence[Layout], wanted: Wanted) -> Layouts:
        if len(bottoms) == 1:  # a view
            self.joined: Joined | None = None
            return super().layouts(shapes, bottoms, wanted)
        blocked = next((layout for layout in bottoms if layout != PLAIN), PLAIN)
        self.joined = Joined(shapes.x, shapes.y[0], self.layer.joined(shapes.x[0]), blocked)
        return Layouts((blocked,) * len(bottoms), (blocked,))

    def bind(self, io: Arrays) -> None:
        self.joins: list[Call] = []
        self.cuts: list[Call] = []
        if self.joined is not None:
            self.joins = self.joined.join(io.x, io.y[0])
            self.cuts = self.joined.cut(io.dy[0], io.dx) if io.dy else []

    def forward(self, io: Arrays) -> None:
        for run in self.joins:
            run()

    def backward(self, io: Arrays) -> None:
        for run in self.cuts:
            run()
