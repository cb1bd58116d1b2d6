"""What a training left behind, as numbers over its iterations.

A series is called as TensorBoard's are: train/loss (smoothed by average_loss), train/rate, train/images_per_second,
train/data_wait_seconds, train/<output>, test0/<output>; train/output/loss is an output that is itself called loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

RESERVED = ("loss", "rate", "images_per_second", "data_wait_seconds")  # names of train/ that an output cannot take
_MOST = 1e15  # iterations
_LARGEST = 1e100  # of values: far beyond all that a net computes with, and charts can still reckon with it


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One number over a training: `values` (n) at `iterations` (n), which rise.

    `seconds` (n) counts from the first line of the training, NaN where no time was told. A value that was not finite
    is NaN.
    """

    name: str
    iterations: Numbers
    seconds: Numbers
    values: Numbers

    @property
    def is_test(self) -> bool:
        """Whether it was measured by a test net."""
        return self.name.startswith("test")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A training: its series by name, in the order of their first values.

    `epoch` is the number of iterations in one, where the run says it.
    """

    name: str
    series: Mapping[str, Series]
    epoch: float | None = None


@dataclass
class Recorder:
    """Collects values as a file is read; a training that went back, since it was resumed, overwrites what follows."""

    epoch: float | None = None
    _values: dict[str, list[tuple[float, float, float]]] = field(default_factory=dict)
    _start: float | None = None

    def add(self, name: str, iteration: float, when: float | None, value: float | None) -> None:
        """A value at `iteration`, told at `when` (seconds of any clock; None where there is none).

        An iteration that no training reaches is passed by. Values over 1e100 count as infinite, below 1e-100 as 0.
        """
        if not 0 <= iteration < _MOST:
            return
        points = self._values.setdefault(name, [])
        while points and points[-1][0] >= iteration:
            points.pop()
        number = value if value is not None and abs(value) < _LARGEST else math.nan
        number = 0.0 if abs(number) < 1 / _LARGEST else number
        seconds = self._elapsed(when) if when is not None and math.isfinite(when) else math.nan
        points.append((iteration, seconds, number))

    def _elapsed(self, when: float) -> float:
        self._start = when if self._start is None else self._start
        return when - self._start

    def began(self, when: float) -> None:
        """The training began at `when`; the first call counts."""
        self._elapsed(when)

    def restart(self, iteration: float) -> None:
        """Forget what is said of `iteration` and later: the training goes on from there."""
        for points in self._values.values():
            while points and points[-1][0] >= iteration:
                points.pop()

    def run(self, name: str) -> Run:
        """All that was read."""
        filled = {key: points for key, points in self._values.items() if points}
        return Run(name, {key: _series(key, points) for key, points in filled.items()}, self.epoch)


def output_name(name: str) -> str:
    """The series of an output of the train net: train/accuracy, and train/output/loss beside train/loss."""
    return f"train/output/{name}" if name in RESERVED else f"train/{name}"


def _series(name: str, points: list[tuple[float, float, float]]) -> Series:
    iterations, seconds, values = np.array(points, np.float64).T.copy()
    return Series(name, iterations, seconds, values)
