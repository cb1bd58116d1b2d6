"""What a training shows of an iteration (`display`): Caffe's lines, and how fast it went since the last time."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from brew.events import Displayed
from brew.outputs import MOST_KEPT, by_name, log_outputs

if TYPE_CHECKING:
    from brew.solver import Solver

log = logging.getLogger("brew")
# The places Caffe's lines come from, for those who parse logs by them.
_SOLVER, _RATE = {"glog": "solver.cpp:218"}, {"glog": "sgd_solver.cpp:105"}

_CHEAP = 1 << 22  # weights that are looked at in a few milliseconds: at every display
_SELDOM = 10  # displays; more weights are looked at in every tenth


class Display:
    """The displays of `solver`, and the time of the last one."""

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self._shown = 0
        self.start()

    def start(self) -> None:
        """Iterations are timed from now on."""
        self._since, self._from = time.perf_counter(), self.solver.iter

    def last(self) -> None:
        """The lines after the last update, of one more forward, and its rate: with it every row has its columns."""
        solver = self.solver
        solver.net.run_forward()
        solver.losses.add(0, 1)
        log.info("Iteration %d, loss = %g", solver.iter, solver.losses.mean(), extra=_SOLVER)
        log.info("Iteration %d, lr = %g", solver.iter, solver.schedule.last_rate or self._rate(), extra=_RATE)

    def _rate(self) -> float:
        """The rate where no update came before: of a training that was resumed at its end."""
        schedule = self.solver.schedule
        return schedule.rate(self.solver.iter, self.solver.losses.mean() if schedule.reads_loss else None)

    def show(self, current_rate: float) -> None:
        """The lines of the iteration at hand, after its passes and before its update, and the event."""
        solver = self.solver
        if self._shown % (1 if solver.net.parameters.arena.size < _CHEAP else _SELDOM) == 0:
            solver.keeper.check_state()
        self._shown += 1
        now = time.perf_counter()
        done, spent = solver.iter - self._from, now - self._since
        self._since, self._from = now, solver.iter
        loss, outputs = solver.losses.mean(), solver.net.output_values()
        per_second = done / spent if spent > 0 else 0.0
        log.info(
            "Iteration %d (%g iter/s, %gs/%d iters), loss = %g", solver.iter, per_second, spent, solver.param.display,
            loss, extra=_SOLVER,
        )  # fmt: skip
        log_outputs("Train", outputs, _SOLVER)
        log.info("Iteration %d, lr = %g", solver.iter, current_rate, extra=_RATE)
        images = done * solver.net.batch_size * solver.param.iter_size
        told = by_name(outputs, MOST_KEPT)
        solver.tell(Displayed(solver.iter, loss, current_rate, told, spent, images))
