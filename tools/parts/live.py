"""The display of a long run on a terminal: one live line, and above it the lines worth keeping."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from brew.plain_text import one_line

from .command import Settings
from .output import echo

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from brew.solver.solver import Solver
    from brew.solver.training.events import Event, Iterated, Tested

_SMOOTHING = 0.9  # of the seconds per iteration
_REFRESHES = 4  # a second


class Results:
    """Remembers the last test of every test net, and prints them to stdout."""

    def __init__(self) -> None:
        self.last: dict[int, Tested] = {}

    def __call__(self, event: Event) -> None:
        from brew.solver.training.events import Tested

        if isinstance(event, Tested):
            self.last[event.net] = event

    def print(self) -> None:
        for tested in self.last.values():
            echo(scores(tested))


@contextmanager
def watch(solver: Solver, settings: Settings) -> Iterator[bool]:
    """Show the solver's progress on a terminal for the length of a `with`; elsewhere the log lines do.

    Yields whether it does and stdout goes to the same terminal.
    """
    if not settings.terminal or settings.verbosity < 0:
        yield False
        return
    with _progress(settings, "iteration {task.completed:.0f}/{task.total:.0f}") as progress:
        task = progress.add_task("", total=solver.param.max_iter, completed=solver.iter, numbers="")
        solver.watch(LiveLine(progress, task))
        yield sys.stdout.isatty()


@contextmanager
def bar(settings: Settings, *, still: bool = False) -> Iterator[Callable[[str, int, int | None], None]]:
    """A callback (what, done, total) that moves a bar for each `what` on a terminal, and does nothing elsewhere.

    A `still` one is drawn within calls alone: nothing disturbs what is timed between them.
    """
    if not settings.terminal or settings.verbosity < 0:
        yield lambda what, done, total: None
        return
    tasks: dict[str, TaskID] = {}
    with _progress(settings, "{task.description}", still=still) as progress:
        drawn = 0.0

        def move(what: str, done: int, total: int | None) -> None:
            nonlocal drawn
            if what not in tasks:
                tasks[what] = progress.add_task(one_line(what), total=total, numbers="")
            progress.update(tasks[what], completed=done, total=total)
            if still and (done == total or time.monotonic() - drawn > 1 / _REFRESHES):
                drawn = time.monotonic()
                progress.refresh()

        yield move


def _progress(settings: Settings, what: str, *, still: bool = False) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn(what, markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[numbers]}", markup=False),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=Console(stderr=True, no_color=not settings.colour, highlight=False),
        refresh_per_second=_REFRESHES,
        auto_refresh=not still,
    )


class LiveLine:
    """Moves the live line with a solver's events."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress = progress
        self.task = task
        self.seconds = 0.0  # of an iteration, smoothed
        self.loss: float | None = None
        self._latest: Iterated | None = None
        self._hidden = math.inf  # seconds of training that the line does not show yet

    def __call__(self, event: Event) -> None:
        from brew.solver.training.events import Iterated, Snapshotted, Stopped, Tested

        if isinstance(event, Iterated):
            self._step(event)
        elif isinstance(event, Stopped):
            self._move()
            self.progress.update(self.task, completed=event.iteration)
            self.progress.refresh()
        elif isinstance(event, Tested):
            self._say(scores(event))
        elif isinstance(event, Snapshotted):
            self._say(f"snapshot: {event.weights} and {event.state}")

    def _say(self, text: str) -> None:
        self.progress.console.print(one_line(text), soft_wrap=True, markup=False)

    def _step(self, step: Iterated) -> None:
        self.seconds = _SMOOTHING * (self.seconds or step.seconds) + (1 - _SMOOTHING) * step.seconds
        self.loss = self.loss if step.loss is None else step.loss
        self._latest = step
        self._hidden += step.seconds
        if self._hidden * _REFRESHES >= 1:
            self._move()

    def _move(self) -> None:
        """Show the latest step: loss, rate and speed. The loss stays where an iteration did not read it."""
        step, self._hidden = self._latest, 0.0
        if step is not None:
            loss = "" if self.loss is None else f"loss {self.loss:.4g}  "
            speed = f"  {step.images / self.seconds:,.0f} images/s" if self.seconds else ""
            numbers = f"{loss}lr {step.rate:.3g}{speed}"
            self.progress.update(self.task, completed=step.iteration, numbers=numbers)


def scores(tested: Tested) -> str:
    """One line for a test: the iteration and the outputs by name.

    No ", loss = " in it: by that Caffe's parse_log.sh knows the lines of training.
    """
    from brew.net.outputs import MOST_SHOWN, first

    shown = first(tested.scores, MOST_SHOWN)
    outputs = "; ".join(f"{name} = {value:.6g}" for name, value in shown.items())
    more = "; ..." if len(shown) < len(tested.scores) else ""
    return f"iteration {tested.iteration}, test net #{tested.net}: {outputs}{more}"
