"""Slice into whole blocks of channels."""

from __future__ import annotations

from collections.abc import Sequence

from brew.cpu.onednn import Call
from brew.layer import Arrays, Implementation, Prepared, Shapes, Wanted
from brew.layer.arrays import following
from brew.layer.layout import Layout, Layouts
from brew.layers.slice import Slice

from ._joined import Joined


@Slice.runs_on("cpu", "onednn")
class _OneDNN(Implementation[Slice]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if len(shapes.y) == 1:  # a view
            self.joined: Joined | None = None
            return Prepared(following(bottoms, shapes), {})
        self.joined = Joined(shapes.y, shapes.x[0], self.layer.cut(shapes.x[0]), bottoms[0])
        return Prepared(Layouts(tuple(bottoms), (bottoms[0],) * len(shapes.y)), {})

    def bind(self, io: Arrays) -> None:
        self.cuts: list[Call] = []
        self.joins: list[Call] = []
        if self.joined is not None:
            self.cuts = self.joined.cut(io.x[0], io.y)
            if io.dx and io.dx[0] is not None:
                self.joins = self.joined.join(io.dy, io.dx[0])

    def forward(self, io: Arrays) -> None:
        for run in self.cuts:
            run()

    def backward(self, io: Arrays) -> None:
        for run in self.joins:
            run()
