"""How pictures are brought to a size, and where their pixels come to lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from brew.data.images.resize import resize

from .settings import Resize

Bytes: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Placement:
    """A picture of `size` (height, width) is scaled to `scaled`, and stands at `offset` (down, right) in `canvas`."""

    size: tuple[int, int]
    scaled: tuple[int, int]
    offset: tuple[int, int]
    canvas: tuple[int, int]

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the picture comes to lie, as shares of the canvas's width and height, cut to it."""
        across = (x * self.scaled[1] / self.size[1] + self.offset[1]) / self.canvas[1]
        down = (y * self.scaled[0] / self.size[0] + self.offset[0]) / self.canvas[0]
        return min(max(across, 0.0), 1.0), min(max(down, 0.0), 1.0)


def placement(size: tuple[int, int], target: tuple[int, int] | None, how: Resize) -> Placement:
    """Where a picture of `size` (height, width) goes for the `target` size: `settings.Resize` says how."""
    if target is None:
        return Placement(size, size, (0, 0), size)
    if how == "warp":
        return Placement(size, target, (0, 0), target)
    shares = [goal / length for goal, length in zip(target, size, strict=True)]
    share = min(shares) if how in ("fit", "pad") else max(shares)
    height, width = (max(1, round(length * share)) for length in size)
    if how in ("shorter", "crop"):
        height, width = max(height, target[0]), max(width, target[1])
    if how in ("fit", "shorter"):
        return Placement(size, (height, width), (0, 0), (height, width))
    return Placement(size, (height, width), ((target[0] - height) // 2, (target[1] - width) // 2), target)


def place(pixels: Bytes, at: Placement, *, fill: int = 0, blend: bool = True) -> Bytes:
    """`pixels` (channels, *at.size) as (channels, *at.canvas), `fill` around them.

    With `blend` as Caffe resizes (OpenCV's INTER_LINEAR); else each pixel is its nearest one, as masks need it.
    """
    if at.scaled != at.size:
        pixels = resize(pixels, *at.scaled) if blend else _nearest(pixels, *at.scaled)
    if at.canvas == at.scaled:
        return pixels
    out = np.full((len(pixels), *at.canvas), fill, np.uint8)
    source, target = zip(
        *(_overlap(o, s, c) for o, s, c in zip(at.offset, at.scaled, at.canvas, strict=True)), strict=True
    )
    out[:, target[0], target[1]] = pixels[:, source[0], source[1]]
    return out


def _overlap(offset: int, length: int, canvas: int) -> tuple[slice, slice]:
    """The part of a picture's axis that the canvas shows, and where."""
    begin, end = max(0, -offset), min(length, canvas - offset)
    return slice(begin, end), slice(begin + offset, end + offset)


def _nearest(pixels: Bytes, height: int, width: int) -> Bytes:
    rows = ((np.arange(height) + 0.5) * pixels.shape[1] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * pixels.shape[2] / width).astype(np.intp)
    return np.ascontiguousarray(pixels[:, rows[:, None], columns])
