"""Values of a record as a picture: pixels as they are, other planes as heat maps, vectors as curves."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .colours import RGB, heat

Values: TypeAlias = npt.NDArray[Any]

_PLANES = 16  # of a record with many channels
_CURVE = 192, 112  # width and height in pixels of the picture of a vector
_LEAST_PLANE = 4  # rows and columns of numbers that are shown as a plane
_LINE, _ZERO, _BLANK = (34, 139, 230), (206, 212, 218), (255, 255, 255)


def is_pixels(values: Values) -> bool:
    """Whether values (channels, height, width) are those of a picture."""
    return values.ndim == 3 and values.dtype == np.uint8 and values.size > 0 and min(values.shape[1:]) > 1


def picture(values: Values) -> RGB:
    """A picture (height, width, 3) of values of any shape.

    One channel of uint8 is gray, three are BGR, four BGR and alpha; other numbers are brought from their own lowest
    and highest to the range of colours. Of more axes than three the first ones are joined.
    """
    if values.size == 0:
        return np.full((2, 2, 3), 255, np.uint8)
    if values.ndim > 3:
        values = values.reshape(-1, *values.shape[-2:])
    if values.ndim == 2:
        values = values[None]
    if values.ndim < 2 or values.size == max(values.shape) or min(values.shape[-2:]) < _LEAST_PLANE:
        return _pixels(values) if is_pixels(values) else _curve(values.reshape(-1))
    return _pixels(values) if values.dtype == np.uint8 else _numbers(values)


def _pixels(values: Values) -> RGB:
    channels = len(values)
    if channels == 1:
        return np.repeat(values[0][..., None], 3, axis=2)
    if channels == 3:
        return np.ascontiguousarray(values[::-1].transpose(1, 2, 0))
    if channels == 4:
        alpha = values[3][..., None] / np.float64(255)
        seen: RGB = np.rint(values[2::-1].transpose(1, 2, 0) * alpha + 255 * (1 - alpha)).astype(np.uint8)
        return seen
    return _mosaic([np.repeat(plane[..., None], 3, axis=2) for plane in values[:_PLANES]])


def _numbers(values: Values) -> RGB:
    shares = _shares(values)
    if len(values) == 3:
        return _pixels(np.rint(shares * 255).astype(np.uint8))
    return _mosaic([heat(plane) for plane in shares[:_PLANES]])


def _shares(values: Values) -> npt.NDArray[np.float64]:
    """Values from 0, the lowest of them, to 1; all alike are 0."""
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    shares: npt.NDArray[np.float64] = np.nan_to_num((numbers - low) / ((high - low) or 1.0), posinf=1.0, neginf=0.0)
    return shares


def _mosaic(planes: list[RGB]) -> RGB:
    """Planes side by side, in rows as many as columns, a pixel of white between them."""
    if len(planes) == 1:
        return planes[0]
    across = int(np.ceil(len(planes) ** 0.5))
    height, width = planes[0].shape[:2]
    down = -(-len(planes) // across)
    whole = np.full((down * (height + 1) - 1, across * (width + 1) - 1, 3), 255, np.uint8)
    for number, plane in enumerate(planes):
        row, column = divmod(number, across)
        top, left = row * (height + 1), column * (width + 1)
        whole[top : top + height, left : left + width] = plane
    return whole


def _curve(values: Values) -> RGB:
    """A vector as bars from 0; of a long one each column shows its lowest and highest."""
    width, height = _CURVE
    numbers = np.nan_to_num(values.astype(np.float64))
    edges = np.linspace(0, len(numbers), min(width, len(numbers)) + 1).astype(np.intp)
    low = np.minimum(np.minimum.reduceat(numbers, edges[:-1]), 0)
    high = np.maximum(np.maximum.reduceat(numbers, edges[:-1]), 0)
    bottom, top = float(low.min()), float(high.max())
    scale = (height - 5) / ((top - bottom) or 1.0)
    canvas = np.full((height, width, 3), _BLANK, np.uint8)
    zero = 2 + round(top * scale)
    columns = np.linspace(0, width, len(low) + 1).astype(np.intp)
    gap = 1 if width >= 4 * len(low) else 0
    for begin, end, least, most in zip(columns[:-1], columns[1:], low, high, strict=True):
        first, last = 2 + round((top - most) * scale), 2 + round((top - least) * scale)
        canvas[first : last + 1, begin + gap : end] = _LINE
    canvas[zero] = np.where((canvas[zero] == _LINE).all(axis=1)[:, None], canvas[zero], _ZERO)
    return canvas
