"""A net's outputs as Caffe's log tells them, a line for every element, and their means over the passes of a test."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import NetError

log = logging.getLogger("brew")

Output: TypeAlias = tuple[str, npt.NDArray[Any], float]  # name, flat values, loss weight


def log_outputs(phase: str, outputs: Sequence[Output], extra: Mapping[str, str]) -> None:
    """One line for each element, numbered through; `phase` is "Train" or "Test", `extra` goes to the log records."""
    lines = [(name, value, weight) for name, values, weight in outputs for value in values]
    for number, (name, value, weight) in enumerate(lines):
        note = f" (* {weight:g} = {weight * value:g} loss)" if weight else ""
        log.info("    %s net output #%d: %s = %g%s", phase, number, name, value, note, extra=extra)


def by_name(outputs: Sequence[Output]) -> dict[str, float]:
    """Every element by its output's name, "accuracy", or "name[3]" where there are several."""
    return {
        name if values.size == 1 else f"{name}[{i}]": float(value)
        for name, values, _ in outputs
        for i, value in enumerate(values)
    }


class Means:
    """Element-wise means of outputs, in float64."""

    def __init__(self) -> None:
        self.passes = 0
        self._sums: list[Output] = []

    def add(self, outputs: Sequence[Output]) -> None:
        """Count one pass. NetError when an output has not as many elements as before: then there is no mean."""
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
