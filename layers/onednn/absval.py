"""AbsVal by NumPy, in the layout the bottom has."""

from __future__ import annotations

from brew.layers.absval import AbsVal

from ._elementwise import Following


@AbsVal.runs_on("cpu", "onednn")
class _OneDNN(Following[AbsVal]):
    pass
