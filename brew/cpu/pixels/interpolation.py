"""Weights of an axis for each way to interpolate, number for number as OpenCV has them (its 8-bit resize).

LINEAR, CUBIC and LANCZOS4 are fixed-point with 11 bits and look at the pixels around, without antialias; AREA averages
where it shrinks; NEAREST takes the pixel that the left and upper edge of the result's pixel falls into.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.proto.brew_pb2 import ResizeParameter

LINEAR, AREA, NEAREST = ResizeParameter.LINEAR, ResizeParameter.AREA, ResizeParameter.NEAREST
CUBIC, LANCZOS4 = ResizeParameter.CUBIC, ResizeParameter.LANCZOS4

MIDDLE = 0  # of masks: the pixel that the middle of the result's pixel falls into

_Firsts = npt.NDArray[np.int64]
_ONE = 1 << 11  # weight 1.0
_SHARP = -0.75  # of the cubic curve


@dataclass(frozen=True, slots=True)
class Taps:
    """For each pixel of the result: `firsts`, the first source pixel that it is made of (it may lie outside), and
    `weights` (taps, pixels), int32 or float32, of that and its successors. `area` is 1 over their sum of float32."""

    firsts: _Firsts
    weights: npt.NDArray[Any]
    area: float = 1.0

    def window(self, start: int, count: int, *, mirrored: bool) -> Taps:
        """Of `count` pixels of the result from `start` on, the last first if `mirrored`."""
        part = slice(start, start + count)
        step = -1 if mirrored else 1
        weights = np.ascontiguousarray(self.weights[:, part][:, ::step])
        return Taps(self.firsts[part][::step], weights, self.area)


def kind(mode: int, size: tuple[int, int], target: tuple[int, int]) -> str:
    """The name of the weights for `mode` from one (height, width) to another: of AREA there are three kinds."""
    names = {MIDDLE: "middle", LINEAR: "linear", NEAREST: "nearest", CUBIC: "cubic", LANCZOS4: "lanczos"}
    if mode != AREA:
        return names[mode]
    if any(a < b for a, b in zip(size, target, strict=True)):
        return "slopes"
    if any(a % b for a, b in zip(size, target, strict=True)):
        return "areas"
    halves = tuple(2 * b for b in target) == size  # the mean of 2 x 2 is rounded as LINEAR rounds it
    return "linear" if halves else "sums"


@lru_cache(256)
def taps(kind: str, size: int, target: int, *, across: bool) -> Taps:
    """The weights that make `target` pixels of `size`. `across`: along columns, where at the edges LINEAR lets the edge
    pixel count alone."""
    if kind in ("nearest", "middle"):
        pixels = np.arange(target)
        at = np.floor(pixels * (1 / (target / size))).astype(np.int64)
        if kind == "middle":
            at = (2 * pixels + 1) * size // (2 * target)
        return Taps(np.minimum(at, size - 1), np.full((1, target), _ONE, np.int32))
    if kind == "areas":
        return _areas(size, target)
    if kind == "sums":
        whole = size // target
        return Taps(np.arange(target) * whole, np.ones((whole, target), np.float32), 1 / whole)
    if kind == "slopes":
        return _slopes(size, target)
    firsts, fraction = _centres(size, target)
    if kind == "linear":
        if across:
            fraction[(firsts < 0) | (firsts >= size - 1)] = 0
            firsts = firsts.clip(0, size - 1)
        return Taps(firsts, _fixed(np.stack([1 - fraction, fraction])))
    if kind == "cubic":
        return Taps(firsts - 1, _fixed(_cubic(fraction)))
    return Taps(firsts - 3, _fixed(_lanczos(fraction)))


def _centres(size: int, target: int) -> tuple[_Firsts, npt.NDArray[np.float32]]:
    """Where the centres of the result fall: the source pixel before each, and the fraction (float32) beyond it."""
    at = ((np.arange(target) + 0.5) * (1 / (target / size)) - 0.5).astype(np.float32)
    before = np.floor(at)
    return before.astype(np.int64), at - before


def _fixed(weights: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Each rounded by itself, halves to even."""
    fixed: npt.NDArray[np.int32] = np.rint(weights * np.float32(_ONE)).astype(np.int32)
    return fixed


def _cubic(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    a, one = np.float32(_SHARP), np.float32(1)
    far = ((a * (x + one) - 5 * a) * (x + one) + 8 * a) * (x + one) - 4 * a
    near = ((a + 2) * x - (a + 3)) * x * x + one
    y = one - x
    next_ = ((a + 2) * y - (a + 3)) * y * y + one
    return np.stack([far, near, next_, one - far - near - next_]).astype(np.float32)


def _lanczos(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """sinc(t) * sinc(t / 4) at the 8 pixels around, made to add up to 1."""
    distance = x.astype(np.float64)[None] + np.arange(3, -5, -1)[:, None]
    curve = (np.sinc(distance) * np.sinc(distance / 4)).astype(np.float32)
    return np.asarray(curve / curve.sum(0), np.float32)


def _slopes(size: int, target: int) -> Taps:
    """AREA where an axis grows: every source pixel is a plateau, and between two there is a slope."""
    firsts = np.floor(np.arange(target) * (1 / (target / size))).astype(np.int64)
    fraction = ((np.arange(target) + 1) - (firsts + 1) * (target / size)).astype(np.float32)
    fraction = np.where(fraction <= 0, 0, fraction - np.floor(fraction)).astype(np.float32)
    fraction[firsts >= size - 1] = 0
    return Taps(firsts, _fixed(np.stack([1 - fraction, fraction])))


def _areas(size: int, target: int) -> Taps:
    """The shares that the pixels under one of the result's have in it: whole ones, and parts at both ends."""
    scale = 1 / (target / size)
    low = np.arange(target) * scale
    high = low + scale
    width = np.minimum(scale, size - low)
    last = np.minimum(np.floor(high), size - 1)
    first = np.minimum(np.ceil(low), last)
    before, behind = first - low, high - last
    begins = first - (before > 1e-3)
    at = begins + np.arange(int((last - begins).max()) + 1)[:, None]  # of each tap
    share = ((at >= first) & (at < last)) * 1.0
    share = np.where((at < first) & (before > 1e-3), before, share)
    share = np.where((at == last) & (behind > 1e-3), np.minimum(np.minimum(behind, 1.0), width), share)
    return Taps(begins.astype(np.int64), (share / width).astype(np.float32))
