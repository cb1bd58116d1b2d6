"""The display of an iteration (`display`): Caffe's lines, and the speed since the last display."""

from __future__ import annotations

import logging
import time

from brew.net.outputs import MOST_KEPT, by_name, log_outputs
from brew.solver.training.events import Displayed
from brew.solver.training.training import Training

from .waiting import Waiting

log = logging.getLogger("brew")
# Source lines of Caffe that log the same, for tools that parse logs by them.
_SOLVER, _RATE = {"glog": "solver.cpp:218"}, {"glog": "sgd_solver.cpp:105"}

_CHEAP = 1 << 22  # weights that are checked in a few milliseconds: at every display
_SELDOM = 10  # displays; more weights are checked at every tenth


class Display:
    """The displays of `training`, and the time of the last one."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self._shown = 0
        self.waiting = Waiting([training.net])
        self.start()

    def start(self) -> None:
        """Time iterations from now on."""
        self._since, self._from = time.perf_counter(), self.training.iter

    def last(self) -> None:
        """Log the loss of one more forward, as Caffe does, and a rate, so that a log has one for each loss."""
        training = self.training
        training.net.run_forward()
        training.losses.add(0, 1)
        log.info("Iteration %d, loss = %g", training.iter, training.losses.mean(), extra=_SOLVER)
        log.info("Iteration %d, lr = %g", training.iter, training.schedule.last_rate or self._rate(), extra=_RATE)

    def _rate(self) -> float:
        """The rate before the first update: for a training that was resumed at its end."""
        schedule = self.training.schedule
        return schedule.rate_ahead(self.training.iter, self.training.losses.mean() if schedule.reads_loss else None)

    def show(self, current_rate: float) -> None:
        """Log the present iteration, after its passes and before its update, and tell the event."""
        training = self.training
        if self._shown % (1 if training.net.parameters.arena.size < _CHEAP else _SELDOM) == 0:
            training.check_state()
        self._shown += 1
        now = time.perf_counter()
        done, spent = training.iter - self._from, now - self._since
        self._since, self._from = now, training.iter
        loss, outputs = training.losses.mean(), training.net.output_values()
        per_second = done / spent if spent > 0 else 0.0
        log.info(
            "Iteration %d (%g iter/s, %gs/%d iters), loss = %g", training.iter, per_second, spent,
            training.param.display, loss, extra=_SOLVER,
        )  # fmt: skip
        log_outputs("Train", outputs, _SOLVER)
        log.info("Iteration %d, lr = %g", training.iter, current_rate, extra=_RATE)
        images = done * training.net.batch_size * training.param.iter_size
        told = by_name(outputs, MOST_KEPT)
        waited = self.waiting.since()
        training.tell(Displayed(training.iter, loss, current_rate, told, spent, images, waited))
