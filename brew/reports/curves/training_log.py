"""The charts of Caffe's plot_training_log.py: one number of each training over iterations or seconds."""

from __future__ import annotations

from collections.abc import Sequence

from brew.errors import InputError

from . import choosing
from .chart import draw
from .marks import Chart
from .series import Run, Series

_FIELDS = ("Test accuracy", "Test loss", "Train learning rate", "Train loss")
_X = {"Iters": "iter", "Seconds": "time"}
# By the number of the chart: the field and what it is drawn over.
CHARTS = tuple((field, over) for field in _FIELDS for over in _X)


def charted(number: int, runs: Sequence[Run]) -> Chart:
    """Chart `number` of CHARTS; InputError, which names the run, where one does not have its field.

    The accuracy is the test net's output of that name, or else its first one; the loss that of its outputs whose name
    has "loss" in it.
    """
    field, over = CHARTS[number]
    drawn = []
    for run in runs:
        series = _field(field, run)
        if series is None:
            raise InputError(f"{run.name}: there is no {field.lower()} in it")
        drawn.append(Run(run.name, {field: Series(field, series.iterations, series.seconds, series.values)}))
    return draw(drawn, [field], x=_X[over], smooth=0, title=f"{field} vs. {over}")


def _field(field: str, run: Run) -> Series | None:
    if field.startswith("Train"):
        return run.series.get("train/loss" if field == "Train loss" else "train/rate")
    tests = [name for name in choosing.names([run]) if run.series[name].is_test]
    losses = [name for name in tests if "loss" in name.lower()]
    if field == "Test loss":
        return run.series[losses[0]] if losses else None
    others = [name for name in tests if name not in losses]
    accurate = [name for name in others if "acc" in name.lower()]
    return run.series[(accurate or others)[0]] if others else None
