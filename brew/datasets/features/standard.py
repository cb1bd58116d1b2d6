"""Values less their mean, divided by their standard deviation, both measured on the part train."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .words import Words

Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Standard:
    """`mean` and `std` of each column, or one of all; () leaves values as they are."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __call__(self, values: Values) -> npt.NDArray[np.float32]:
        """The standardised values, whose last axis is that of the columns."""
        if not self.mean:
            return np.asarray(values, np.float32)
        return np.asarray((values - np.array(self.mean)) / np.array(self.std), np.float32)

    def words(self) -> dict[str, Any]:
        """As YAML has it."""
        return {"mean": [float(f"{v:.9g}") for v in self.mean], "std": [float(f"{v:.9g}") for v in self.std]}

    @classmethod
    def of_words(cls, words: Words, columns: int) -> Standard:
        """What `words` gave; DataError."""
        mean = words.numbers("mean", {0, 1, columns})
        std = words.numbers("std", {len(mean)})
        if any(value <= 0 for value in std):
            words.wrong(list(std), "a list of numbers above 0", "std")
        return cls(mean, std)

    def rounded(self) -> Standard:
        """With the numbers as `words` has them, so that training and use agree to the last bit."""
        words = self.words()
        return Standard(tuple(words["mean"]), tuple(words["std"]))


NOTHING = Standard()


def measured(pieces: Iterable[Values], *, together: bool = False) -> Standard:
    """The mean and deviation of each column of `pieces`, each (rows, columns), or of all `together`. NaN do not count.

    A column of one value has the deviation 1. No piece gives a Standard that leaves values as they are.
    """
    count: Values | float = 0.0
    mean: Values | float = 0.0
    squares: Values | float = 0.0
    for piece in pieces:
        rows = np.asarray(piece, np.float64).reshape(-1, 1) if together else np.asarray(piece, np.float64)
        there = ~np.isnan(rows)
        new = there.sum(axis=0)
        own = np.where(there, rows, 0).sum(axis=0) / np.maximum(new, 1)
        spread = np.where(there, (rows - own) ** 2, 0).sum(axis=0)
        total = np.maximum(count + new, 1)
        squares = squares + spread + (own - mean) ** 2 * count * new / total  # Chan, Golub and LeVeque 1979
        mean = mean + (own - mean) * new / total
        count = count + new
    if isinstance(count, float):
        return NOTHING
    deviation = np.sqrt(squares / np.maximum(count, 1))
    deviation = np.where(deviation > 1e-9 * np.maximum(1, np.abs(mean)), deviation, 1.0)
    return Standard(tuple(np.asarray(mean).tolist()), tuple(deviation.tolist())).rounded()
