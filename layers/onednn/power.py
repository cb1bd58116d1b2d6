"""Power by NumPy, in the layout the bottom has where 0 stays 0."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Shapes, Unsupported, Wanted
from brew.layer.layout import Layout, Layouts
from brew.layers.power import Power

from ._elementwise import Following


@Power.runs_on("cpu", "onednn")
class _OneDNN(Following[Power]):
    def layouts(self, shapes: Shapes, bottoms: Sequence[Layout], wanted: Wanted) -> Layouts:
        # From 1 on the gradient at 0 is finite too.
        if self.layer.shift or self.layer.power < 1 or self.layer.is_constant:
            raise Unsupported("what lies behind the channels would not stay zero")
        return super().layouts(shapes, bottoms, wanted)
