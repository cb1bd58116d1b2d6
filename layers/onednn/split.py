"""Split by oneDNN: the tops lie as the bottom, and so do the gradients that are summed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.layer import Arrays, Implementation, Prepared, Shapes, Wanted
from brew.layer.arrays import following
from brew.layer.layout import Layout
from brew.layers.split import Split

from ._sums import total


@Split.runs_on("cpu", "onednn")
class _OneDNN(Implementation[Split]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        # A sum of two is the same in either order; of more it would be rounded otherwise.
        self.over = [(0, top) for top in range(len(shapes.y) if len(shapes.y) == 2 else 1)]
        return Prepared(following(bottoms, shapes), {})

    def bind(self, io: Arrays) -> None:
        if io.dx and (dx := io.dx[0]) is not None and dx.size:
            terms = sorted(io.dy, key=lambda dy: not np.shares_memory(dy, dx))  # a sum may overwrite its first term
            self.run_back = total(terms, dx)

    def forward(self, io: Arrays) -> None:
        pass

    def backward(self, io: Arrays) -> None:
        if (dx := io.dx[0]) is not None and dx.size:
            self.run_back()
