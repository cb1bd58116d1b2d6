"""Trainings as lines of text: a row for each series, with a small curve in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import choosing
from .chart import places
from .series import Numbers, Run, Series
from .smoothing import averaged
from .ticks import duration

BLOCKS, ASCII = "▁▂▃▄▅▆▇█", "_.-=+*#@"
TITLES = ("series", "first", "last", "lowest", "highest", "curve")


def rows(
    runs: Sequence[Run], what: Sequence[str], *, width: int = 40, heights: str = BLOCKS, x: str = "iter",
    epoch: float | None = None, log: bool = False,
) -> list[tuple[str, ...]]:  # fmt: skip
    """A row for each series: its name, first and last value, the lowest and the highest with where they stand, and a
    curve of `width` letters over `x` (chart.draw)."""
    made: list[tuple[str, ...]] = []
    for word in what or choosing.usual(runs):
        for name in choosing.chosen(word, runs):
            for run in runs:
                if name in run.series:
                    series = run.series[name]
                    called = name if len(runs) == 1 else f"{run.name}: {name}"
                    at = places(series, run, x, epoch)
                    made.append((called, *_figures(series, at, x), sparkline(series.values, width, heights, log=log)))
    return made


def sparkline(values: Numbers, width: int, heights: str = BLOCKS, *, log: bool = False) -> str:
    """`values` (n) as letters of rising height; a blank where there is no finite one.

    >>> sparkline(np.arange(8.0), 8), sparkline(np.array([1.0, np.nan, 1.0]), 8)
    ('▁▂▃▄▅▆▇█', '▁ ▁')
    """
    if log:
        values = np.log10(np.where(values > 0, values, np.nan))
    _, few = averaged(np.arange(len(values), dtype=np.float64), values, width)
    finite = few[np.isfinite(few)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    steps = np.nan_to_num((few - low) / ((high - low) or 1.0)) * (len(heights) - 1)
    return "".join(
        heights[round(step)] if np.isfinite(value) else " " for step, value in zip(steps.tolist(), few, strict=True)
    )


def _figures(series: Series, at: Numbers, x: str) -> tuple[str, str, str, str]:
    finite = np.flatnonzero(np.isfinite(series.values))
    if not len(finite):
        return ("", "", "", "")
    values = series.values[finite]
    low, high = finite[values.argmin()], finite[values.argmax()]

    def there(number: int) -> str:
        place = duration(float(at[number])) if x == "time" else f"{at[number]:.10g}"
        return f"{series.values[number]:.4g} at {place}"

    return f"{values[0]:.4g}", f"{values[-1]:.4g}", there(int(low)), there(int(high))
