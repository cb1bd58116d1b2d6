"""Power by NumPy, in the layout the bottom has where 0 stays 0."""

from __future__ import annotations

from collections.abc import Sequence

from brew.layer import Prepared, Shapes, Unsupported, Wanted
from brew.layer.layout import Layout
from brew.layers.power import Power

from ._elementwise import Following


@Power.runs_on("cpu", "onednn")
class _OneDNN(Following[Power]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        # From 1 on the gradient at 0 is finite too.
        if self.layer.shift or self.layer.power < 1 or self.layer.is_constant:
            raise Unsupported("what lies behind the channels would not stay zero")
        return super().prepare_in(bottoms, shapes, wanted)
