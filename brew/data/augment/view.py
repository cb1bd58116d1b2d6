"""A view of an image: a window of it, resized, with a border, and again a window of that, perhaps mirrored.

All that happens to an image's places is one View; so pixels are computed once, and only those that are seen. What lies
outside of the image is filled. Points and boxes move as pixels do: `View.points`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels import interpolation
from brew.cpu.pixels.calls import scratch
from brew.cpu.pixels.interpolation import Taps
from brew.cpu.pixels.resampling import SLACK, Across, Down, resampled
from brew.proto.brew_pb2 import ResizeParameter

Bytes: TypeAlias = npt.NDArray[np.uint8]
Points: TypeAlias = npt.NDArray[np.float64]
Rectangle: TypeAlias = tuple[int, int, int, int]
Paint: TypeAlias = Callable[[Bytes, Bytes], None]
"""Copies pixels (channels, rows, columns) of the image into a place for them, in other colours perhaps."""


def as_bytes(values: npt.ArrayLike) -> Bytes:
    """Rounded, halves to even, and kept within 0 to 255."""
    numbers: Bytes = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return numbers


@dataclass(frozen=True, slots=True)
class View:
    """What is seen of an image.

    window    top, left, bottom, right in pixels of the image; it may reach beyond it, and is filled there
    size      (height, width) to which the window is resized, by the interpolation `mode`
    border    so many pixels above, left, below and right of that; CONSTANT ones have the values `padding`, others
              are MIRRORED without the edge itself, or REPEAT_NEAREST
    crop      top, left, height, width of what is seen of all that
    mirrored, flipped   left to right, top to bottom
    """

    window: Rectangle
    size: tuple[int, int]
    crop: Rectangle
    mode: int = interpolation.LINEAR
    border: Rectangle = (0, 0, 0, 0)
    border_mode: int = ResizeParameter.CONSTANT
    padding: tuple[float, ...] = (0.0,)
    mirrored: bool = False
    flipped: bool = False

    @classmethod
    def whole(cls, height: int, width: int) -> View:
        """All of an image as it is."""
        return cls((0, 0, height, width), (height, width), (0, 0, height, width))

    @property
    def bordered(self) -> tuple[int, int]:
        """(height, width) with the border: what `crop` is a window of."""
        top, left, bottom, right = self.border
        return self.size[0] + top + bottom, self.size[1] + left + right

    def cropped(self, top: int, left: int, height: int, width: int, *, mirrored: bool, flipped: bool) -> View:
        """The same of another crop of what is resized and bordered."""
        return replace(self, crop=(top, left, height, width), mirrored=mirrored, flipped=flipped)

    def points(self, points: Points) -> Points:
        """Where points (n, 2), x and y of the image, in pixels from its upper left corner, are in the view.

        A pixel's middle is at half: the middle of the first pixel is (0.5, 0.5).
        """
        top, left, bottom, right = self.window
        scale = np.array([self.size[1] / (right - left), self.size[0] / (bottom - top)])
        row, column, height, width = self.crop
        offset = np.array([self.border[1] - column, self.border[0] - row], np.float64)
        moved: Points = (points - np.array([left, top], np.float64)) * scale + offset
        if self.mirrored:
            moved[:, 0] = width - moved[:, 0]
        if self.flipped:
            moved[:, 1] = height - moved[:, 1]
        return moved


def copied(pixels: Bytes, place: Bytes) -> None:
    """The `Paint` that changes nothing."""
    place[...] = pixels


def seen(image: Bytes, view: View, fill: npt.NDArray[np.uint8], paint: Paint = copied) -> Bytes:
    """What `view` shows of `image` (channels, rows, columns), after `paint`, with `fill` (channels) outside of it."""
    row, column, height, width = view.crop
    top, left = view.border[:2]
    inner = (row - top, column - left, height, width)
    if not any(view.border):
        return _resized(image, view, inner, fill, paint)
    if view.border_mode == ResizeParameter.CONSTANT:
        return _on_a_ground(image, view, inner, fill, paint)
    whole = _resized(image, replace(view, mirrored=False, flipped=False), (0, 0, *view.size), fill, paint)
    framed = _framed(whole, view)[:, row : row + height, column : column + width]
    return framed[:, :: -1 if view.flipped else 1, :: -1 if view.mirrored else 1]


def _framed(image: Bytes, view: View) -> Bytes:
    top, left, bottom, right = view.border
    how = "reflect" if view.border_mode == ResizeParameter.MIRRORED else "edge"
    if how == "reflect" and 1 in image.shape[1:]:
        how = "symmetric"  # there is nothing beside the edge
    framed: Bytes = np.pad(image, ((0, 0), (top, bottom), (left, right)), mode=how)  # type: ignore[call-overload]
    return framed


def _on_a_ground(image: Bytes, view: View, inner: Rectangle, fill: npt.NDArray[np.uint8], paint: Paint) -> Bytes:
    """A border of one colour: what is seen of the image lies on it."""
    row, column, height, width = inner
    values = np.broadcast_to(np.array(view.padding), len(image))
    ground = np.empty((len(image), height, width), np.uint8)
    ground[...] = as_bytes(values)[:, None, None]
    first, last = max(row, 0), min(row + height, view.size[0])
    begin, end = max(column, 0), min(column + width, view.size[1])
    if first < last and begin < end:
        plain = replace(view, mirrored=False, flipped=False)
        part = _resized(image, plain, (first, begin, last - first, end - begin), fill, paint)
        ground[:, first - row : last - row, begin - column : end - column] = part
    return ground[:, :: -1 if view.flipped else 1, :: -1 if view.mirrored else 1]


def _resized(image: Bytes, view: View, part: Rectangle, fill: npt.NDArray[np.uint8], paint: Paint) -> Bytes:
    """The part (top, left, height, width) of the window after its resize."""
    top, left, bottom, right = view.window
    size = bottom - top, right - left
    out = np.empty((len(image), *part[2:]), np.uint8)
    if size == view.size:
        place = out[:, :: -1 if view.flipped else 1, :: -1 if view.mirrored else 1]
        _pasted(image, (top + part[0], left + part[1]), fill, paint, place)
        return out
    if bottom <= 0 or right <= 0 or top >= image.shape[1] or left >= image.shape[2]:
        out[...] = fill[:, None, None]
        return out
    kind = interpolation.kind(view.mode, size, view.size)
    columns = interpolation.taps(kind, size[1], view.size[1], across=True)
    rows = interpolation.taps(kind, size[0], view.size[0], across=False)
    columns = columns.window(part[1], part[3], mirrored=view.mirrored)
    rows = rows.window(part[0], part[2], mirrored=view.flipped)
    _interpolated(image, view, kind, rows, columns, fill, paint, out)
    return out


def _pasted(image: Bytes, start: tuple[int, int], fill: npt.NDArray[np.uint8], paint: Paint, out: Bytes) -> None:
    """A window of the size of `out` that begins at `start`, as it is."""
    rows, columns = image.shape[1:]
    top, left = max(start[0], 0), max(start[1], 0)
    bottom, right = min(start[0] + out.shape[1], rows), min(start[1] + out.shape[2], columns)
    if (bottom - top, right - left) != out.shape[1:]:
        out[...] = fill[:, None, None]
    if top < bottom and left < right:
        place = out[:, top - start[0] : bottom - start[0], left - start[1] : right - start[1]]
        paint(image[:, top:bottom, left:right], place)


def _interpolated(
    image: Bytes,
    view: View,
    kind: str,
    rows: Taps,
    columns: Taps,
    fill: npt.NDArray[np.uint8],
    paint: Paint,
    out: Bytes,
) -> None:
    """The source's pixels that count lie in scratch memory, painted, between pads of what lies beside them.

    A pad is as wide as the weights of a pixel: those that see nothing but the fill see the pad alone. Where the window
    ends within the image the pad repeats its edge. One row behind the last is full of the fill.
    """
    top, left, bottom, right = view.window
    row_taps = np.clip(rows.firsts + np.arange(len(rows.weights))[:, None], 0, bottom - top - 1) + top
    reach = len(columns.weights)
    low, high = _needed(int(row_taps.min()), int(row_taps.max()) + 1, 0, image.shape[1])
    first, last = _needed(
        max(int(columns.firsts.min()), 0) + left, min(int(columns.firsts.max()) + reach, right - left) + left, 0,
        image.shape[2],
    )  # fmt: skip
    height, width, pad = high - low, last - first, reach
    pitch = width + 2 * pad
    memory = scratch("window", len(image) * (height + 1) * pitch + SLACK)
    place = memory[: len(image) * (height + 1) * pitch].reshape(len(image), height + 1, pitch)
    paint(image[:, low:high, first:last], place[:, :height, pad : pad + width])
    place[:, height] = fill[:, None]
    place[:, :height, :pad] = fill[:, None, None] if left < 0 else place[:, :height, pad : pad + 1]
    behind = place[:, :height, pad + width - 1 : pad + width]
    place[:, :height, pad + width :] = fill[:, None, None] if right > image.shape[2] else behind
    starts = np.clip(columns.firsts + left - first + pad, 0, width + 2 * pad - reach).astype(np.int32)
    inside = (row_taps >= low) & (row_taps < high)
    picked = np.where(inside, row_taps - low, height)
    if kind in ("linear", "slopes"):
        across, down = Across(starts, columns.weights, 4), Down(picked, rows.weights, 16, 2, 2)
    elif kind in ("areas", "sums"):
        across, down = Across(starts, columns.weights), Down(picked, rows.weights, gain=rows.area * columns.area)
    elif kind == "cubic":  # OpenCV adds up in float32, the last row first
        weights = rows.weights[::-1].astype(np.float32) * np.float32(2.0**-22)
        across, down = Across(starts, columns.weights), Down(np.ascontiguousarray(picked[::-1]), weights)
    else:
        across, down = Across(starts, columns.weights), Down(picked, rows.weights, 0, 1 << 21, 22)
    resampled(place, across, down, out)


def _needed(low: int, high: int, begin: int, end: int) -> tuple[int, int]:
    """What of low to high lies between begin and end; one at the edge where nothing does."""
    low, high = max(low, begin), min(high, end)
    if low < high:
        return low, high
    edge = min(max(low, begin), end - 1)
    return edge, edge + 1
