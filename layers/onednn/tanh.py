"""TanH by oneDNN, in the layout the bottom has."""

from __future__ import annotations

from brew.cpu import onednn
from brew.layers.tanh import TanH

from ._elementwise import EltwiseOneDNN


@TanH.runs_on("cpu", "onednn")
class _OneDNN(EltwiseOneDNN[TanH]):
    algorithm = onednn.TANH_FROM_TOP
