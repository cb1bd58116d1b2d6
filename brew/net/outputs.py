"""A net's outputs as Caffe logs them, a line for every element, and their means over the passes of a test.

Only the first elements of an output are logged: an output of a quarter of a million elements would write a log of a
million lines in two minutes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import NetError

log = logging.getLogger("brew")

MOST_SHOWN = 100  # elements of one output in the log and on a terminal; with -v (level DEBUG) all are
MOST_KEPT = 1000  # in events, and so in the files for metrics: a number for each class of ImageNet

Output: TypeAlias = tuple[str, npt.NDArray[Any], float]  # name, flat values, loss weight


def log_outputs(phase: str, outputs: Sequence[Output], extra: Mapping[str, str]) -> None:
    """Log one line for each element, numbered from 0; `phase` is "Train" or "Test", `extra` goes to the records."""
    begin = 0
    for name, values, weight in outputs:
        for number, value in enumerate(shown(values), begin):
            note = f" (* {weight:g} = {weight * value:g} loss)" if weight else ""
            log.info("    %s net output #%d: %s = %g%s", phase, number, name, value, note, extra=extra)
        if note := left_out(name, values.size):
            log.info("    %s", note, extra=extra)
        begin += values.size


def shown(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The elements of one output that are logged, one by one."""
    return values if log.isEnabledFor(logging.DEBUG) else values[:MOST_SHOWN]


def left_out(name: str, size: int) -> str:
    """How many elements of an output of `size` are not logged, in words; "" where all are."""
    more = size - MOST_SHOWN
    if more <= 0 or log.isEnabledFor(logging.DEBUG):
        return ""
    return f"{name} has {more} more elements that are left out (-v shows them, a Silence layer ends them)"


def first(scores: Mapping[str, float], most: int) -> dict[str, float]:
    """The scores (as of `by_name`) of the first `most` elements of each output."""
    if len(scores) <= most:
        return dict(scores)
    return {name: score for name, score in scores.items() if _index(name) < most}


def _index(name: str) -> int:
    """3 of "score[3]", 0 of "accuracy"."""
    digits = name.rpartition("[")[2].removesuffix("]")
    return int(digits) if name.endswith("]") and digits.isdigit() else 0


def by_name(outputs: Sequence[Output], most: int | None = None) -> dict[str, float]:
    """Every element, or the first `most` of each output, by name: "accuracy", or "name[3]" where there are several."""
    return {
        name if values.size == 1 else f"{name}[{i}]": float(value)
        for name, values, _ in outputs
        for i, value in enumerate(values[:most])
    }


class Means:
    """Element-wise means of outputs, in float64."""

    def __init__(self) -> None:
        self.passes = 0
        self._sums: list[Output] = []

    def add(self, outputs: Sequence[Output]) -> None:
        """Add one pass. NetError where an output has another number of elements than before: there is no mean then."""
        before = self._sums or [(name, np.zeros(values.size), weight) for name, values, weight in outputs]
        for (name, total, _), (_, values, _) in zip(before, outputs, strict=True):
            if total.size != values.size:
                raise NetError(
                    f'output "{name}" has {values.size} elements in this test pass, {total.size} in those before: '
                    "there is no mean",
                    hint="a Silence layer ends what is not to be averaged",
                )
            total += values
        self._sums = list(before)
        self.passes += 1

    def outputs(self) -> list[Output]:
        return [(name, total / self.passes, weight) for name, total, weight in self._sums]
