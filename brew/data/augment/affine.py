"""affine_param: an image turned, moved, scaled and sheared about its middle; RandAugment uses the same maps."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels.calls import scratch
from brew.cpu.pixels.warping import BEFORE, BEHIND, SLACK, warped
from brew.proto.brew_pb2 import AffineParameter, ResizeParameter

from .draws import Draw
from .view import Bytes, Paint, Points, copied

Map: TypeAlias = npt.NDArray[np.float64]
"""(2, 3): where a point (x, y, 1) of the image goes, in pixels from the upper left corner."""


def drawn(param: AffineParameter, draw: Draw, height: int, width: int) -> Map | None:
    """The map of a record; None where chance leaves it alone."""
    acts = draw.chance(param.prob)
    turn = math.radians(draw.uniform(-param.rotate, param.rotate))
    move = (
        draw.uniform(-param.translate_x, param.translate_x) * width,
        draw.uniform(-param.translate_y, param.translate_y) * height,
    )
    scale = draw.uniform(param.scale_lower, param.scale_upper)
    shear = [math.tan(math.radians(draw.uniform(-most, most))) for most in (param.shear_x, param.shear_y)]
    return about_the_middle(height, width, turn=turn, move=move, scale=scale, shear=shear) if acts else None


def about_the_middle(
    height: int,
    width: int,
    *,
    turn: float = 0.0,
    move: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
    shear: list[float] | tuple[float, float] = (0.0, 0.0),
) -> Map:
    """Sheared (x by y, then y by x), scaled, turned by `turn` radians clockwise, then moved by `move` pixels (x, y)."""
    cos, sin = math.cos(turn), math.sin(turn)
    turned = np.array([[cos, -sin], [sin, cos]])
    sheared = np.array([[1.0, shear[0]], [0.0, 1.0]])
    sheared = np.array([[1.0, 0.0], [shear[1], 1.0]]) @ sheared
    linear = scale * turned @ sheared
    middle = np.array([width / 2, height / 2])
    return np.column_stack([linear, middle + move - linear @ middle])


def moved(points: Points, mapping: Map) -> Points:
    """Where points (n, 2) go."""
    there: Points = points @ mapping[:, :2].T + mapping[:, 2]
    return there


def inverse(mapping: Map) -> Map:
    linear = np.linalg.inv(mapping[:, :2])
    return np.column_stack([linear, -linear @ mapping[:, 2]])


def mapped(
    image: Bytes,
    mapping: Map,
    fill: npt.NDArray[np.uint8],
    mode: int = ResizeParameter.CONSTANT,
    paint: Paint = copied,
) -> Bytes:
    """`image` after `paint` and the map, in its own size; outside of it is `fill`, or its mirror image, or its edge."""
    channels, rows, columns = image.shape
    back = _between_middles(mapping)
    offset = 0, 0
    if mode == ResizeParameter.MIRRORED:
        image, offset, paint = _among_mirrors(image, paint)
        back[:, 2] += offset[::-1]
    height, width = image.shape[1] + BEFORE + BEHIND, image.shape[2] + BEFORE + BEHIND
    memory = scratch("warp", channels * height * width + SLACK)
    place = memory[: channels * height * width].reshape(channels, height, width)
    place[...] = fill[:, None, None]
    paint(image, place[:, BEFORE:-BEHIND, BEFORE:-BEHIND])
    limits = (-1.0, image.shape[2], -1.0, image.shape[1])
    if mode != ResizeParameter.CONSTANT:
        limits = (0.0, image.shape[2] - 1, 0.0, image.shape[1] - 1)
    out = np.empty((channels, rows, columns), np.uint8)
    warped(place, back.astype(np.float32), limits, out)
    return out


def _between_middles(mapping: Map) -> Map:
    """From pixels of the result, counted by whole numbers at their middles, to those of the source."""
    back = inverse(mapping)
    back[:, 2] += back[:, 0] * 0.5 + back[:, 1] * 0.5 - 0.5
    return back


def _among_mirrors(image: Bytes, paint: Paint) -> tuple[Bytes, tuple[int, int], Paint]:
    """The image with as much of its mirror images around it as there is, where it begins, and how that is painted."""
    painted = np.empty_like(image)
    paint(image, painted)
    pads = image.shape[1] - 1, image.shape[2] - 1
    around = np.pad(painted, ((0, 0), (pads[0],) * 2, (pads[1],) * 2), mode="reflect")
    return around, pads, copied


def mapped_mask(mask: Bytes, mapping: Map, fill: npt.NDArray[np.uint8], mode: int = ResizeParameter.CONSTANT) -> Bytes:
    """A mask after the map: the nearest pixel of it, `fill` outside (or what `mode` says)."""
    _, rows, columns = mask.shape
    back = _between_middles(mapping)
    y, x = np.mgrid[:rows, :columns]
    column, row = (np.floor(back[i, 0] * x + back[i, 1] * y + (back[i, 2] + 0.5)).astype(np.intp) for i in range(2))
    outside = (row < 0) | (row >= rows) | (column < 0) | (column >= columns)
    if mode == ResizeParameter.MIRRORED:
        row, column = _mirrored(row, rows), _mirrored(column, columns)
    there: Bytes = mask[:, row.clip(0, rows - 1), column.clip(0, columns - 1)]
    if mode == ResizeParameter.CONSTANT:
        there = np.where(outside, fill[:, None, None], there)
    return there


def _mirrored(place: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    """Places outside, reflected at the edges, which do not repeat."""
    period = max(2 * (size - 1), 1)
    place = np.abs(place) % period
    return np.minimum(place, period - place)
