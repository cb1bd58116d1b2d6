"""ELU by oneDNN, in the layout the bottom has."""

from __future__ import annotations

from collections.abc import Mapping

from brew.cpu import onednn
from brew.layer import Buffer, Shapes, Unsupported, Wanted
from brew.layers.elu import ELU

from ._elementwise import EltwiseOneDNN


@ELU.runs_on("cpu", "onednn")
class _OneDNN(EltwiseOneDNN[ELU]):
    algorithm = onednn.ELU_FROM_TOP

    def numbers(self) -> tuple[float, float]:
        return self.layer.alpha, 0.0

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        if self.layer.alpha < 0:
            raise Unsupported("an alpha below 0: the gradient needs x")
        return super().prepare(shapes, wanted)
