"""Clip by NumPy, in the layout the bottom has where 0 stays 0."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Prepared, Shapes, Unsupported, Wanted
from brew.layer.layout import Layout
from brew.layers.clip import Clip

from ._elementwise import Following


@Clip.runs_on("cpu", "onednn")
class _OneDNN(Following[Clip]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        least, most = self.layer.bounds
        if not least <= 0 <= most:
            raise Unsupported("what lies behind the channels would not stay zero")
        return super().prepare_in(bottoms, shapes, wanted)
