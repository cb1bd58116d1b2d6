"""Eltwise in blocks: sums by oneDNN, products and maxima by NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.layer import Arrays, Prepared, Shapes, Unsupported, Wanted
from brew.layer.arrays import following
from brew.layer.layout import PLAIN, Layout
from brew.layers.eltwise import Eltwise
from brew.proto.brew_pb2 import EltwiseParameter

from ._elementwise import Following
from ._sums import copy, total, weighted_sum

SUM, PROD = EltwiseParameter.SUM, EltwiseParameter.PROD


@Eltwise.runs_on("cpu", "onednn")
class _OneDNN(Following[Eltwise]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if self.layer.operation == PROD and not self.layer.stable:
            raise Unsupported("0 / 0 behind the channels")
        if 0 in shapes.x[0]:
            raise Unsupported("an empty blob")
        first = next((layout for layout in bottoms if layout != PLAIN), bottoms[0])
        if self.layer.operation != SUM:
            return super().prepare_in([first], shapes, wanted)
        self.over = [(bottom, 0) for bottom in range(len(shapes.x))]
        return Prepared(following([first], shapes), {})

    def bind(self, io: Arrays) -> None:
        if self.layer.operation != SUM:
            return
        plain = all(factor == 1 for factor in self.layer.coeff)
        self.run = total(io.x, io.y[0]) if plain else weighted_sum(io.x, self.layer.coeff, io.y[0])
        wanted = [(factor, dx) for factor, dx in zip(self.layer.coeff, io.dx, strict=False) if dx is not None]
        lie_there = [np.shares_memory(dx, io.dy[0]) for _, dx in wanted]
        elsewhere = [pair for pair, there in zip(wanted, lie_there, strict=True) if not there]
        there = [pair for pair, there in zip(wanted, lie_there, strict=True) if there and pair[0] != 1]
        self.run_back = [
            copy(io.dy[0], dx) if factor == 1 else weighted_sum(io.dy, [factor], dx) for factor, dx in elsewhere + there
        ]

    def forward(self, io: Arrays) -> None:
        if self.layer.operation == SUM:
            self.run()
        else:
            super().forward(io)

    def backward(self, io: Arrays) -> None:
        if self.layer.operation != SUM:
            super().backward(io)
            return
        for run in self.run_back:
            run()
