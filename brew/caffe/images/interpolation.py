"""Images resampled by splines of order 0 to 5, with the numbers of scikit-image's `resize` and scipy's `zoom`.

Without antialiasing: a pixel of the result is interpolated between the source pixels next to its place, however many it
covers. `resize` aligns the edges of both images, and beyond them is black; `zoom` aligns the centres of corner pixels.
"""

from __future__ import annotations

from math import comb, factorial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.intp]

_PADDING = 12  # pixels of black around the image for a spline's coefficients; scipy's number


def resize(image: npt.NDArray[Any], size: tuple[int, int], order: int = 1, beyond: str = "constant") -> Floats:
    """`image` (rows, columns, channels), with values from 0 to 1, as (height, width, channels): edges aligned.

    As skimage.transform.resize(image, size, order, mode="constant", anti_aliasing=False): values of the result also
    lie from 0 to 1, and where it is larger than the image, its edge fades into the black beyond. For orders 0 and 1
    `beyond` may be another mode of numpy.pad, and the values any.
    """
    if tuple(image.shape[:2]) == size:
        return np.asarray(image, np.float64)
    rows, columns = (
        (np.arange(target) + 0.5) * (source / target) - 0.5 for source, target in zip(image.shape, size, strict=False)
    )
    if order == 0:
        return _nearest(image, rows, columns)
    if order == 1:
        return _linear(image, rows, columns, beyond)
    edge = (_PADDING, _PADDING)
    padded = np.pad(np.asarray(image, np.float64), (edge, edge, (0, 0)))
    return _spline(padded, rows + _PADDING, columns + _PADDING, order).clip(0, 1)


def zoom(image: npt.NDArray[Any], size: tuple[int, int], order: int = 1) -> Floats:
    """`image` (rows, columns, channels) as (height, width, channels): the centres of the corner pixels stay corners.

    As scipy.ndimage.zoom(image, (height / rows, width / columns, 1), order=order).
    """
    rows, columns = (np.linspace(0, source - 1, target) for source, target in zip(image.shape, size, strict=False))
    if order == 0:
        return _nearest(image, rows, columns)
    if order == 1:
        return _linear(image, rows, columns, "edge")
    return _spline(np.asarray(image, np.float64), rows, columns, order)


def _nearest(image: npt.NDArray[Any], rows: Floats, columns: Floats) -> Floats:
    """The pixel whose centre is nearest; of two the second."""
    by_row, by_column = np.floor(rows + 0.5).astype(np.intp), np.floor(columns + 0.5).astype(np.intp)
    return np.asarray(image[by_row][:, by_column], np.float64)


def _linear(image: npt.NDArray[Any], rows: Floats, columns: Floats, beyond: str) -> Floats:
    """Between the four pixels around each place, first along rows, then along columns."""
    upper, lower, above, below = _neighbours(rows, image.shape[0], beyond)
    left, right, before, after = _neighbours(columns, image.shape[1], beyond)
    used, place = np.unique(np.concatenate([upper, lower]), return_inverse=True)  # shrinking skips rows
    source: Floats = np.asarray(image[used], np.float64)
    lines = before[:, None] * source[:, left] + after[:, None] * source[:, right]
    made: Floats = above[:, None, None] * lines[place[: len(rows)]] + below[:, None, None] * lines[place[len(rows) :]]
    return made


def _neighbours(places: Floats, size: int, beyond: str) -> tuple[Indices, Indices, Floats, Floats]:
    """The pixels before and after each place, and their shares. Beyond the image are pixels of it, or black."""
    floor = np.floor(places)
    share = places - floor
    pixels = np.stack([floor, floor + 1]).astype(np.intp)
    shares = np.stack([1 - share, share])
    if beyond == "constant":
        shares[(pixels < 0) | (pixels >= size)] = 0
    elif beyond == "wrap":
        pixels %= size
    elif beyond == "reflect" and size > 1:
        pixels = (size - 1) - np.abs((size - 1) - np.abs(pixels))
    first, second = pixels.clip(0, size - 1)
    return first, second, *shares


def _spline(values: Floats, rows: Floats, columns: Floats, order: int) -> Floats:
    """A spline through all pixels, mirrored at the edges; one matrix for each axis."""
    made = np.tensordot(_matrix(rows, values.shape[0], order), values, (1, 0))
    return np.tensordot(_matrix(columns, values.shape[1], order), made, (1, 1)).transpose(1, 0, 2)


def _matrix(places: Floats, size: int, order: int) -> Floats:
    """(places, size): the weight of each pixel at each place, by way of the spline's coefficients."""
    through_pixels = _basis(np.arange(size, dtype=np.float64), size, order)
    return np.asarray(np.linalg.solve(through_pixels.T, _basis(places, size, order).T).T, np.float64)


def _basis(places: Floats, size: int, order: int) -> Floats:
    """(places, size): the weight of each coefficient at each place, those beyond the edges folded back."""
    first = np.floor(places - (order - 1) / 2).astype(np.intp)
    matrix = np.zeros((len(places), size))
    period = max(2 * (size - 1), 1)
    for tap in range(order + 1):
        folded = np.abs((first + tap + size - 1) % period - (size - 1)) if size > 1 else np.zeros_like(first)
        np.add.at(matrix, (np.arange(len(places)), folded), _bump(places - (first + tap), order))
    return matrix


def _bump(x: Floats, order: int) -> Floats:
    """The centred B-spline of this order."""
    half = (order + 1) / 2
    terms = [(-1) ** k * comb(order + 1, k) * np.maximum(x + half - k, 0) ** order for k in range(order + 2)]
    bump: Floats = sum(terms[1:], terms[0]) / factorial(order)
    return bump
