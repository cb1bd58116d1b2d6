"""A window of an image with what lies around it, scaled to a net's input, as R-CNN takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .resizing import ArrayError, resize_image


def crop_with_context(
    image: npt.NDArray[Any], window: tuple[int, int, int, int], around: npt.NDArray[np.float32], pad: int
) -> npt.NDArray[np.float32]:
    """`around` (height, width, channels) with the window and its context in it; what is beyond `image` stays.

    The window (ymin, xmin, ymax, xmax, the last ones included) fills all but `pad` pixels at each side. ArrayError
    where it lies outside of the image.
    """
    rows = _Span.of(window[0], window[2], image.shape[0], around.shape[0], pad)
    columns = _Span.of(window[1], window[3], image.shape[1], around.shape[1], pad)
    cut = image[rows.first : rows.end, columns.first : columns.end]
    if not cut.size:
        raise ArrayError(f"window {window} lies outside of an image of {image.shape[0]} x {image.shape[1]}")
    placed = resize_image(cut, (rows.length, columns.length))
    around[rows.start : rows.start + rows.length, columns.start : columns.start + columns.length] = placed
    return around


@dataclass(frozen=True, slots=True)
class _Span:
    """Along one axis: pixels `first` to `end` of the image, which become `length` of the crop from `start` on."""

    first: int
    end: int
    start: int
    length: int

    @classmethod
    def of(cls, first: int, last: int, size: int, crop: int, pad: int) -> _Span:
        if 2 * pad >= crop:
            raise ArrayError(f"a context of {pad} pixels at each side leaves nothing of an input of {crop}")
        half = (last - first + 1) / 2
        middle, reach = first + half, half * crop / (crop - 2 * pad)
        begin, end = float(np.round(middle - reach)), float(np.round(middle + reach))
        share = crop / (end - begin + 1)
        start = _rounded(max(0.0, -begin) * share)
        inside = int(np.clip(begin, 0, size)), int(np.clip(end, 0, size))
        length = _rounded((inside[1] - inside[0] + 1) * share)
        return cls(*inside, start, max(min(length, crop - start), 1))


def _rounded(number: float) -> int:
    """Halves up, as the Python of pycaffe's days did."""
    return int(np.floor(number + 0.5))
