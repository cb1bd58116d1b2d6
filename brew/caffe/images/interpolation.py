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
    values: Floats = np.asarray(image, np.float64)
    rows, columns = (
        (np.arange(target) + 0.5) * (source / target) - 0.5 for source, target in zip(image.shape, size, strict=False)
    )
    if order > 1:
        edge = (_PADDING, _PADDING)
        padded = np.pad(values, (edge, edge, (0, 0)))
        return _spline(padded, rows + _PADDING, columns + _PADDING, order).clip(0, 1)
    if order == 0:
        return _nearest(values, rows, columns)
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)), beyond)  # type: ignore[call-overload]
    return _linear(padded, rows + 1, columns + 1)


def zoom(image: npt.NDArray[Any], size: tuple[int, int], order: int = 1) -> Floats:
    """`image` (rows, columns, channels) as (height, width, channels): the centres of the corner pixels stay corners.

    As scipy.ndimage.zoom(image, (height / rows, width / columns, 1), order=order).
    """
    values: Floats = np.asarray(image, np.float64)
    rows, columns = (np.linspace(0, source - 1, target) for source, target in zip(image.shape, size, strict=False))
    if order > 1:
        return _spline(values, rows, columns, order)
    return (_linear if order else _nearest)(values, rows, columns)


def _nearest(values: Floats, rows: Floats, columns: Floats) -> Floats:
    """The pixel whose centre is nearest; of two the second."""
    by_row, by_column = np.floor(rows + 0.5).astype(np.intp), np.floor(columns + 0.5).astype(np.intp)
    return values[by_row][:, by_column]


def _linear(values: Floats, rows: Floats, columns: Floats) -> Floats:
    """Between the four pixels around each place, first along rows, then along columns."""
    left, right, beyond = _neighbours(columns, values.shape[1])
    upper, lower, below = _neighbours(rows, values.shape[0])
    share = beyond[None, :, None]
    used, place = np.unique(np.concatenate([upper, lower]), return_inverse=True)  # shrinking skips rows
    source = values[used]
    lines = (1 - share) * source[:, left] + share * source[:, right]
    share = below[:, None, None]
    made: Floats = (1 - share) * lines[place[: len(rows)]] + share * lines[place[len(rows) :]]
    return made


def _neighbours(places: Floats, size: int) -> tuple[Indices, Indices, Floats]:
    """The pixels before and after each place, and how far it lies beyond the first."""
    before = np.floor(places)
    first = before.astype(np.intp)
    return first, np.minimum(first + 1, size - 1), places - before


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
