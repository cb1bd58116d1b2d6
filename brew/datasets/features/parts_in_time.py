"""Parts in the order of time: the last share is for test, the share before it for val, the rest for train."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brew.datasets.sources.items import Part
from brew.errors import UsageError

from .options import Options

OPTIONS = {
    "test_last": "the share of time, at the end, that is for test: 0.2",
    "val_last": "the share of time before it that is for val",
}


@dataclass(frozen=True, slots=True)
class PartsInTime:
    """`val` and `test`: the times at which these parts begin."""

    val: float
    test: float

    def part(self, first: float, last: float) -> Part | None:
        """The part in which all lies that is of the times `first` to `last`; None where no part holds all of it."""
        if last < self.val:
            return "train"
        if first >= self.test:
            return "test"
        return "val" if self.val <= first and last < self.test else None


def parts_in_time(given: Options, times: npt.NDArray[np.float64]) -> PartsInTime | None:
    """What the options say, for things at these `times`; None where they say nothing. UsageError."""
    test, val = given.number("test_last", 0, 0.99) or 0.0, given.number("val_last", 0, 0.99) or 0.0
    if not test and not val:
        return None
    if test + val >= 1:
        raise UsageError(f"test_last {test:g} and val_last {val:g} leave nothing for train")
    ordered = np.sort(times)

    def at(share: float) -> float:
        number = round(len(ordered) * (1 - share))
        return float(ordered[number]) if share and number < len(ordered) else float("inf")

    begin = at(test)
    return PartsInTime(min(at(test + val), begin), begin)
