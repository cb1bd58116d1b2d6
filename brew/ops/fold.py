"""A blob of any number of axes seen as three: what comes before, what is worked on, what comes after."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

from brew.layer import Shape, count


class Fold(NamedTuple):
    """Element (o, d, i) of the folded blob stands at (o * dim + d) * inner + i."""

    outer: int
    dim: int
    inner: int

    def of(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The view (outer, dim, inner) of a contiguous array."""
        return array.reshape(self)


def fold(shape: Shape, start: int, stop: int | None = None) -> Fold:
    """Axes start <= axis < stop become `dim`; stop None means the one axis `start`.

    >>> fold((2, 3, 4, 5), 1)
    Fold(outer=2, dim=3, inner=20)
    """
    stop = start + 1 if stop is None else stop
    return Fold(count(shape[:start]), count(shape[start:stop]), count(shape[stop:]))
