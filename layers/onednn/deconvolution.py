"""Deconvolution by oneDNN."""

from __future__ import annotations

from brew.cpu import onednn
from brew.cpu.onednn import Description
from brew.layer import Shape
from brew.layers.deconvolution import Deconvolution

from ._filters import FiltersOneDNN


@Deconvolution.runs_on("cpu", "onednn")
class _OneDNN(FiltersOneDNN):
    """Caffe counts its weights inputs first, oneDNN outputs first."""

    kind = "deconvolution"
    algorithm = onednn.DECONVOLUTION_DIRECT

    def weight_shape(self, w: Shape) -> Shape:
        group = self.layer.own.group
        one = (w[1], w[0] // group, *w[2:])
        return one if group == 1 else (group, *one)

    def plain_weights(self, w: Shape) -> Description:
        return Description(self.weight_shape(w), "bacd" if self.layer.own.group == 1 else "acbde")
