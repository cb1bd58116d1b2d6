"""ReLU by oneDNN, in the layout the bottom has."""

from __future__ import annotations

from collections.abc import Sequence

from brew.cpu import onednn
from brew.layer import Prepared, Shapes, Unsupported, Wanted
from brew.layer.layout import Layout
from brew.layers.relu import ReLU

from ._elementwise import EltwiseOneDNN


@ReLU.runs_on("cpu", "onednn")
class _OneDNN(EltwiseOneDNN[ReLU]):
    algorithm = onednn.RELU

    def numbers(self) -> tuple[float, float]:
        return self.layer.slope, 0.0

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if self.layer.slope < 0:
            raise Unsupported("a slope below 0, in place")
        return super().prepare_in(bottoms, shapes, wanted)
