"""Blobs one behind the other along the channels, as Concat and Slice have them, in whole blocks."""

from __future__ import annotations

from collections.abc import Sequence

from brew.cpu import onednn
from brew.cpu.onednn import Call, Operation
from brew.layer import Array, Shape, Unsupported
from brew.layer.layout import PLAIN, Layout


class Joined:
    """A whole and its parts, all in blocks."""

    def __init__(self, parts: Sequence[Shape], whole: Shape, axis: int, layout: Layout) -> None:
        if axis != 1 or len(whole) != 4 or 0 in whole or layout == PLAIN or any(p[1] % layout.block for p in parts):
            raise Unsupported("only whole blocks of channels")
        self.parts = [onednn.describe(part, layout) for part in parts]
        self.whole = onednn.describe(whole, layout)
        starts = [sum(p[1] for p in parts[:i]) for i in range(len(parts))]
        self.places = [self.whole.part(p, (0, start, 0, 0)) for p, start in zip(parts, starts, strict=True)]

    def join(self, parts: Sequence[Array], whole: Array) -> list[Call]:
        """Calls that copy the parts into the whole."""
        return [
            Operation.reorder(part, place).bind({onednn.SRC: (part, array), onednn.DST: (place, whole)})
            for part, place, array in zip(self.parts, self.places, parts, strict=True)
        ]

    def cut(self, whole: Array, parts: Sequence[Array | None]) -> list[Call]:
        """Calls that copy from the whole to those parts that are wanted."""
        return [
            Operation.reorder(place, part).bind({onednn.SRC: (place, whole), onednn.DST: (part, array)})
            for part, place, array in zip(self.parts, self.places, parts, strict=True)
            if array is not None
        ]
