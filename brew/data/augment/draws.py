"""The random numbers of a record: a function of the seed, the data layer that draws, and the record's number alone.

Every purpose has its own, so that one augmentation more or less leaves the others' numbers alone, and a mask is cut as
its image is, whose colours were drawn besides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from brew.layer.random import Stream

# A new purpose goes to the end: each has its numbers by its place, and those behind it would get others.
PURPOSES = (
    "resize", "expand", "crop", "affine", "flip", "distort", "jitter", "rand_augment", "noise", "blur", "gaussian",
    "jpeg", "erase", "mix", "sample", "place",
)  # fmt: skip
_WORDS = 64  # of a purpose
_UNIT = 2.0**-53


class Draw:
    """Random numbers for one purpose, one after the other."""

    def __init__(self, words: Sequence[int]) -> None:
        self._words = iter(words)

    def word(self) -> int:
        """64 random bits."""
        return next(self._words)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """From `low` to below `high` (or `low`, where they are the same)."""
        return low + (high - low) * ((self.word() >> 11) * _UNIT)

    def chance(self, probability: float) -> bool:
        """True so often."""
        return self.uniform() < probability

    def below(self, count: int) -> int:
        """A whole number from 0 on, below `count`."""
        return self.word() % count

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        return low + self.below(high - low + 1)

    def order(self, count: int) -> list[int]:
        """The numbers below `count` in a random order."""
        return sorted(range(count), key=lambda _: self.word())


class Draws:
    """All random numbers of record number `record` of the layer that draws under the name `name`."""

    def __init__(self, seed: SupportsIndex, name: str, record: int) -> None:
        self._seed, self._name, self._record = seed, name, record
        self._words: npt.NDArray[np.uint64] | None = None

    def of(self, purpose: str) -> Draw:
        """Those for a purpose, from the first on."""
        if self._words is None:
            stream = Stream(self._seed, f"{self._name}/augment")
            self._words = stream.words(_WORDS * len(PURPOSES), index=self._record)
        start = PURPOSES.index(purpose) * _WORDS
        return Draw(self._words[start : start + _WORDS].tolist())

    def many(self, purpose: str, count: int) -> npt.NDArray[np.uint64]:
        """As many words as there are pixels, say."""
        return Stream(self._seed, f"{self._name}/augment/{purpose}").words(count, index=self._record)
