"""Concat of whole blocks of channels."""

from __future__ import annotations

from collections.abc import Sequence

from brew.cpu.onednn import Call
from brew.layer import Arrays, Implementation, Prepared, Shapes, Wanted
from brew.layer.arrays import following
from brew.layer.layout import PLAIN, Layout, Layouts
from brew.layers.concat import Concat

from ._joined import Joined


@Concat.runs_on("cpu", "onednn")
class _OneDNN(Implementation[Concat]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if len(bottoms) == 1:  # a view
            self.joined: Joined | None = None
            return Prepared(following(bottoms, shapes), {})
        blocked = next((layout for layout in bottoms if layout != PLAIN), PLAIN)
        self.joined = Joined(shapes.x, shapes.y[0], self.layer.joined(shapes.x[0]), blocked)
        return Prepared(Layouts((blocked,) * len(bottoms), (blocked,)), {})

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
