"""Boxes as annotations have them, made those of `items.Box`: corners in order, within the picture, with an area."""

from __future__ import annotations

import math
from typing import NamedTuple

from .told import Told

BACKGROUND = "background"  # class 0 of all sources with boxes, as nets for them expect it
_FARTHEST = 1e7  # pixels; what lies beyond is no box of a picture


class BadBox(ValueError):
    """Numbers that are no box; the text ends a sentence that begins with what they stand in."""


class Corners(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float


def tidy(corners: Corners, size: tuple[float, float] | None, told: Told, where: str) -> Corners | None:
    """`corners` in order and cut to a picture of `size` (width, height); None where nothing of the box is in it.

    What was changed is told at `where`. BadBox for what is no number.
    """
    if not all(math.isfinite(value) and abs(value) <= _FARTHEST for value in corners):
        raise BadBox(
            f"has a box of {', '.join(f'{value:g}' for value in corners)}; four numbers of pixels are expected"
        )
    left, top, right, bottom = corners
    if left > right or top > bottom:
        told.add("boxes with their corners the other way round, turned", where)
        left, right = min(left, right), max(left, right)
        top, bottom = min(top, bottom), max(top, bottom)
    if left == right or top == bottom:
        told.add("boxes without an area, left out", where)
        return None
    if size is None:
        return Corners(left, top, right, bottom)
    cut = Corners(max(left, 0.0), max(top, 0.0), min(right, size[0]), min(bottom, size[1]))
    if cut.left >= cut.right or cut.top >= cut.bottom:
        told.add("boxes outside of their pictures, left out", where)
        return None
    if cut != (left, top, right, bottom):
        told.add("boxes that reach out of their pictures, cut to them", where)
    return cut
