"""What a terminal shows of a training: one live line, and above it what is worth keeping."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .command import Settings

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from brew.solver import Solver

_SMOOTHING = 0.9  # of the seconds per iteration


class Results:
    """Remembers the last test of every test net, and prints them to stdout."""

    def __init__(self) -> None:
        self.last: dict[int, Any] = {}

    def __call__(self, event: object) -> None:
        from brew.events import Tested

        if isinstance(event, Tested):
            self.last[event.net] = event

    def print(self) -> None:
        for event in self.last.values():
            click.echo(f"iteration {event.iter}, test net #{event.net}: {scores(event)}")


@contextmanager
def watch(solver: Solver, settings: Settings) -> Iterator[None]:
    """Show the solver's progress on a terminal for the length of a `with`; elsewhere the log lines do."""
    if not settings.terminal or settings.verbosity < 0:
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=not settings.colour, highlight=False)
    columns = (
        TextColumn("iteration {task.completed:.0f}/{task.total:.0f}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[numbers]}"),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as progress:
        task = progress.add_task("", total=solver.param.max_iter, completed=solver.iter, numbers="")
        solver.watch(LiveLine(progress, task))
        yield


class LiveLine:
    """Moves the live line with a solver's events."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress = progress
        self.task = task
        self.seconds: float | None = None

    def __call__(self, event: object) -> None:
        from brew.events import Snapshotted, Step, Tested

        if isinstance(event, Step):
            self.progress.update(self.task, completed=event.iter, numbers=self.numbers(event))
        elif isinstance(event, Tested):
            self.progress.console.print(f"iteration {event.iter}, test net #{event.net}: {scores(event)}")
        elif isinstance(event, Snapshotted):
            self.progress.console.print("snapshot " + " ".join(str(path) for path in event.paths), soft_wrap=True)

    def numbers(self, step: Any) -> str:
        """Loss, rate and speed, for the live line."""
        before = step.seconds if self.seconds is None else self.seconds
        self.seconds = _SMOOTHING * before + (1 - _SMOOTHING) * step.seconds
        speed = f"{step.images / self.seconds:,.0f} images/s" if self.seconds else ""
        return f"loss {step.loss:.4g}  lr {step.rate:.3g}  {speed}"


def scores(event: Any) -> str:
    """The outputs of a test, by name."""
    return ", ".join(f"{name} = {value:.6g}" for name, value in event.outputs)
