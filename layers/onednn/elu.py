"""ELU by oneDNN, in the layout the bottom has."""

from __future__ import annotations

from collections.abc import Sequence

from brew.cpu import onednn
from brew.layer import Prepared, Shapes, Unsupported, Wanted
from brew.layer.layout import Layout
from brew.layers.elu import ELU

from ._elementwise import EltwiseOneDNN


@ELU.runs_on("cpu", "onednn")
class _OneDNN(EltwiseOneDNN[ELU]):
    algorithm = onednn.ELU_FROM_TOP

    def numbers(self) -> tuple[float, float]:
        return self.layer.alpha, 0.0

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if self.layer.alpha < 0:
            raise Unsupported("an alpha below 0: the gradient needs x")
        return super().prepare_in(bottoms, shapes, wanted)
