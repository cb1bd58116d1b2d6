"""Dropout by NumPy, in the bottom's layout where that orders the elements as the plain one does."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Prepared, Shapes, Unsupported, Wanted
from brew.layer.layout import PLAIN, Layout
from brew.layers.dropout import Dropout

from ._elementwise import Following


@Dropout.runs_on("cpu", "onednn")
class _OneDNN(Following[Dropout]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        x = shapes.x[0]
        if bottoms[0] != PLAIN and self.layer.drops and (x[1] % bottoms[0].block or x[2:] != (1, 1)):
            raise Unsupported("the mask is drawn in the plain order")
        return super().prepare_in(bottoms, shapes, wanted)
