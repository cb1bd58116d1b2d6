"""Boxes of objects (n, 4): left, top, right, bottom, float64, in pixels of an image or as shares of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from brew.proto.brew_pb2 import EmitConstraint

from .view import Points

Boxes: TypeAlias = npt.NDArray[np.float64]
Kept: TypeAlias = npt.NDArray[np.bool_]


def moved(boxes: Boxes, where: Callable[[Points], Points]) -> Boxes:
    """The boxes around where the corners of `boxes` go: what `Plan.points` says of points."""
    corners = np.stack([boxes[:, [x, y]] for x in (0, 2) for y in (1, 3)], axis=1)
    there = where(corners.reshape(-1, 2)).reshape(-1, 4, 2)
    return np.concatenate([there.min(1), there.max(1)], axis=1)


def clipped(boxes: Boxes, height: float, width: float) -> Boxes:
    """What of them lies within an image."""
    limits = np.array([width, height, width, height], np.float64)
    return np.clip(boxes, 0, limits)


def areas(boxes: Boxes) -> npt.NDArray[np.float64]:
    """0 for boxes that are none."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def shared(boxes: Boxes, box: Boxes) -> npt.NDArray[np.float64]:
    """The area that each of them has in common with `box` (4)."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    return areas(np.concatenate([low, high], axis=1))


def overlap(boxes: Boxes, box: Boxes) -> npt.NDArray[np.float64]:
    """Jaccard: what each has in common with `box`, over what they cover together."""
    common = shared(boxes, box)
    together = areas(boxes) + areas(box[None]) - common
    return _over(common, together)


def covered(boxes: Boxes, box: Boxes) -> npt.NDArray[np.float64]:
    """The share of each that `box` covers."""
    return _over(shared(boxes, box), areas(boxes))


def emitted(boxes: Boxes, height: float, width: float, rule: EmitConstraint | None) -> Kept:
    """Which of the boxes, moved and not yet clipped, stay in a view of this size: by SSD's rule, else all that show."""
    frame = np.array([0, 0, width, height], np.float64)
    shows: Kept = shared(boxes, frame) > 0
    if rule is None:
        return shows
    if rule.emit_type == EmitConstraint.CENTER:
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2
        inside = (centre >= 0) & (centre <= frame[2:])
        return inside[:, 0] & inside[:, 1]
    enough: Kept = covered(boxes, frame) > rule.emit_overlap
    return enough


def _over(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
