"""Sigmoid by oneDNN, in the layout the bottom has where no channels are missing from its blocks."""

from __future__ import annotations

from brew.cpu import onednn
from brew.layers.sigmoid import Sigmoid

from ._elementwise import EltwiseOneDNN


@Sigmoid.runs_on("cpu", "onednn")
class _OneDNN(EltwiseOneDNN[Sigmoid]):
    algorithm = onednn.LOGISTIC_FROM_TOP
    keeps_zeros = False
