"""Convolution by oneDNN."""

from __future__ import annotations

from brew.cpu import onednn
from brew.layer import Shape
from brew.layers.convolution import Convolution

from ._filters import FiltersOneDNN


@Convolution.runs_on("cpu", "onednn")
class _OneDNN(FiltersOneDNN):
    kind = "convolution"
    algorithm = onednn.CONVOLUTION_DIRECT

    def weight_shape(self, w: Shape) -> Shape:
        group = self.layer.own.group
        return w if group == 1 else (group, w[0] // group, *w[1:])
