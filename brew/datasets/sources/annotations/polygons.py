"""Outlines of objects as pixels: polygons, and the runs of COCO (counts of pixels, column by column)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Mask: TypeAlias = npt.NDArray[np.bool_]


class BadOutline(ValueError):
    """What is no outline; the text ends a sentence that begins with what it stands in."""


def polygon_mask(corners: Any, height: int, width: int) -> Mask:
    """The pixels (height, width) whose middles lie in the polygon x0, y0, x1, y1, ...."""
    try:
        points = np.asarray(corners, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BadOutline("has a polygon that is no list of numbers") from None
    if points.ndim != 1 or len(points) % 2 or len(points) < 6 or not np.isfinite(points).all():
        raise BadOutline(
            f"has a polygon of {points.size} numbers; pairs of finite numbers, three or more, are expected"
        )
    x, y = points[0::2], points[1::2]
    flips = np.zeros((height, width + 1), np.bool_)
    for x0, y0, x1, y1 in zip(x, y, np.roll(x, -1), np.roll(y, -1), strict=True):
        if y0 == y1:
            continue
        first, last = sorted((float(y0), float(y1)))
        begin = int(np.clip(np.ceil(first - 0.5), 0, height))
        end = int(np.clip(np.ceil(last - 0.5), 0, height))
        rows = np.arange(begin, end)
        crossed = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
        columns = np.clip(np.ceil(crossed - 0.5), 0, width).astype(np.intp)
        flips[rows, columns] ^= True
    return np.logical_xor.accumulate(flips, axis=1)[:, :width]


def run_mask(counts: Any, height: int, width: int) -> Mask:
    """The pixels of runs: lengths of those outside and inside in turn, as numbers or in COCO's text."""
    runs = text_runs(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(isinstance(run, int) and run >= 0 for run in runs):
        raise BadOutline("has runs that are no list of numbers and no text of COCO's")
    if sum(runs) != height * width:
        raise BadOutline(f"has runs of {sum(runs)} pixels together; {height} x {width} are expected")
    mask = np.zeros(height * width, np.bool_)
    ends = np.cumsum([0, *runs]).tolist()
    for begin, end in list(pairwise(ends))[1::2]:
        mask[begin:end] = True
    return mask.reshape(width, height).T


def text_runs(text: str) -> list[int]:
    """Runs from COCO's text: 5 bits of a number in each character from "0" on, the sixth says that more follow, the
    last bit of the last one is the sign; from the third run on, what is written is the difference to the last but one.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 40:
            raise BadOutline("has runs in a text that is not COCO's")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift or any(run < 0 for run in runs):
        raise BadOutline("has runs in a text that is not COCO's")
    return runs
