"""Trainings drawn as a chart: a panel for each thing asked, one below another, or in two columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.errors import UsageError

from . import choosing, ticks
from .marks import Chart
from .panel import Curve, Panel, curve, left_of, value_axis
from .series import Numbers, Run, Series

X = ("iter", "time", "epoch")
_WIDTH, _HEIGHT, _GAP = 760.0, 290.0, 14.0  # of a panel; between panels
_IN_COLUMNS = 4  # panels that stand in two columns


def draw(
    runs: Sequence[Run],
    what: Sequence[str] = (),
    *,
    x: str = "iter",
    log: bool = False,
    smooth: float | None = None,
    epoch: float | None = None,
    title: str = "",
    width: float = _WIDTH,
) -> Chart:
    """A panel for each of `what` (choosing.chosen; none: the usual ones).

    `x` is one of X; `epoch` the iterations in one, for runs that do not say it. `log`: values stand on a logarithmic
    axis, but for those of "accuracy"; rates that differ widely always do. `smooth` is the number of points that curves
    of training are smoothed over: 0 not at all, None as suits them. `width` is that of a panel. UsageError where
    something asked is not there.
    """
    words = list(what or choosing.usual(runs))
    panels = [(choosing.title(word), choosing.chosen(word, runs)) for word in words]
    columns = 2 if len(panels) >= _IN_COLUMNS else 1
    rows = -(-len(panels) // columns)
    chart = Chart(columns * width + (columns - 1) * _GAP, rows * _HEIGHT + (rows - 1) * _GAP + 8)
    chart.title = title or ", ".join(run.name for run in runs)
    curves = [_curves(runs, names, x, smooth, epoch) for _, names in panels]
    axis = _x_axis([each for some in curves for each in some], x)
    on_log = [
        _differ_widely(some) if heading == _RATE else log and word.lower() != "accuracy"
        for word, (heading, _), some in zip(words, panels, curves, strict=True)
    ]
    y_axes = [value_axis(some, log=is_log) for some, is_log in zip(curves, on_log, strict=True)]
    left = max(map(left_of, y_axes))
    for number, ((heading, _), some, y_axis) in enumerate(zip(panels, curves, y_axes, strict=True)):
        row, column = divmod(number, columns)
        at = (column * (width + _GAP), row * (_HEIGHT + _GAP))
        panel = Panel(heading, some, axis, at, width, _HEIGHT, y_axis=y_axis, x_title=_X_TITLES[x], left=left)
        chart.marks += panel.marks
    return chart


def _differ_widely(curves: Sequence[Curve]) -> bool:
    """Whether the positive values reach from one decade into another."""
    values = np.concatenate([each.y for each in curves])
    positive = values[np.isfinite(values) & (values > 0)]
    return len(positive) > 0 and bool(positive.max() > _WIDE * positive.min())


_WIDE = 15  # the largest rate by the smallest, from which on the axis is logarithmic
_RATE = choosing.title("lr")
_X_TITLES = {"iter": "iteration", "time": "time", "epoch": "epoch"}


def _curves(
    runs: Sequence[Run], names: Sequence[str], x: str, smooth: float | None, epoch: float | None
) -> list[Curve]:
    """The curves of a panel: of one run, a colour for each series; of several, a colour for each run."""
    curves = []
    for number, run in enumerate(runs):
        own = [name for name in names if name in run.series]
        for place, name in enumerate(own):
            series = run.series[name]
            called = name if len(runs) == 1 else f"{run.name}: {name}" if len(names) > 1 else run.name
            colour, dash = (place, 0) if len(runs) == 1 else (number, names.index(name))
            colour_and_dash = (colour, dash + colour // 7)
            points = 0 if series.is_test or name == "train/rate" else smooth
            curves.append(curve(called, places(series, run, x, epoch), series.values, *colour_and_dash, points))
    return curves


def places(series: Series, run: Run, x: str, epoch: float | None = None) -> Numbers:
    """Where the values of a series stand along `x`; UsageError where the run does not tell."""
    if x == "iter":
        return series.iterations
    if x == "time":
        if np.isnan(series.seconds).all():
            raise UsageError(f"{run.name}: its lines have no times", hint="draw it over iterations: --x iter")
        return series.seconds
    length = epoch or run.epoch
    if not length:
        raise UsageError(f"{run.name} does not say how many iterations an epoch has", hint="give it with --epoch N")
    return series.iterations / length


def _x_axis(curves: Sequence[Curve], x: str) -> ticks.Axis:
    ends = [value for each in curves for value in (each.x[:1], each.x[-1:])]
    values = np.concatenate(ends or [np.zeros(1)])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    low = 0.0 if 0 <= low < 0.2 * high else low
    return ticks.times(low, high) if x == "time" else ticks.linear(low, high)
