"""One iteration of a training: iter_size passes whose gradients add up, the display, the update.

On the CPU, signals and the end of max_time are heeded between passes too. An iteration that is broken off has not been
done: what its passes have moved (data, counters, BatchNorm's averages) is put back, and a training that goes on begins
it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from brew import resume
from brew.divergence import Guard
from brew.solver_config import Intervals
from brew.statistics import Statistics

if TYPE_CHECKING:
    from brew.solver import Solver


class Iteration:
    """The iterations of `solver`, one after another."""

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self._statistics = Statistics(solver.net.parameters)
        self.guard = Guard(solver.net, solver.param, self._statistics)

    def run(self, every: Intervals, interrupted: Callable[[], bool]) -> float | None:
        """Do one, and give the rate it used; None where `interrupted`, asked between two passes, broke it off."""
        solver = self.solver
        display = bool(every.display) and solver.iter % every.display == 0
        if every.debug_info:
            solver.net.debug_info.on = solver.net.source.debug_info or display
        if not self._passes(every.passes, interrupted):
            return None
        loss = solver.losses.latest(read_back=display or self.guard.skips)
        if self.guard.leaves_out(loss, solver.iter, solver.schedule.last_rate):
            solver.losses.drop()
        else:
            self._update(display)
        solver.iter += 1
        return solver.schedule.last_rate

    def _passes(self, passes: int, interrupted: Callable[[], bool]) -> bool:
        """Forward and backward, `passes` times; whether all were done."""
        solver = self.solver
        heeds = passes > 1 and solver.device == "cpu"  # on CUDA every iteration would read the state back
        if self.guard.skips or heeds:
            self._statistics.keep()
        if heeds and solver.bookmark.state is None:  # else it marks the tests that this iteration began with
            solver.bookmark.set()
        for number in range(passes):
            if number and heeds and self._broken_off(interrupted):
                return False
            solver.net.forward_backward()
            solver.losses.add(number, passes)
        solver.bookmark.clear()
        return True

    def _broken_off(self, interrupted: Callable[[], bool]) -> bool:
        with self._statistics.as_kept():  # a snapshot may be taken
            stop = interrupted()
        if stop:
            self._statistics.put_back()
            assert self.solver.bookmark.state is not None
            resume.rewind(self.solver, self.solver.bookmark.state)
        return stop

    def _update(self, display: bool) -> None:
        """The end of an iteration: its rate, what is shown of it, the update, the average."""
        solver, schedule = self.solver, self.solver.schedule
        current = schedule.rate(solver.iter, solver.losses.mean() if schedule.reads_loss else None)
        if display:
            solver.display.show(current)
        momentum_scale = schedule.momentum_scale(solver.iter)
        if solver.net.debug_info.on:
            with solver.net.debug_info.updating():
                solver.update.apply(current, solver.iter, momentum_scale)
        else:
            solver.update.apply(current, solver.iter, momentum_scale)
        if solver.average is not None:
            solver.average.update(solver.iter)
