"""Swish by NumPy, in the layout the bottom has."""

from __future__ import annotations

from brew.layers.swish import Swish

from ._elementwise import Following


@Swish.runs_on("cpu", "onednn")
class _OneDNN(Following[Swish]):
    pass
