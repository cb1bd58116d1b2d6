"""One iteration of a training: iter_size passes whose gradients add up, the display, the update.

Signals and the end of max_time interrupt between passes too. An interrupted iteration does not count: the
state that its passes changed (data, counters, BatchNorm's averages) is put back, and a training that goes on repeats
it.
"""

from __future__ import annotations

from collections.abc import Callable

from brew.solver.snapshots.bookmark import Bookmark
from brew.solver.training.config import Intervals
from brew.solver.training.training import Training

from .display import Display


class Iteration:
    """The iterations of `training`, one after another.

    Between two passes of one, where `asked()`, `interrupted()` answers; it returns whether training stops.
    """

    def __init__(
        self,
        training: Training,
        bookmark: Bookmark,
        display: Display,
        *,
        asked: Callable[[], bool],
        interrupted: Callable[[], bool],
    ) -> None:
        self.training = training
        self.bookmark = bookmark
        self.display = display
        self.on_start: list[Callable[[], object]] = []  # called before the passes
        self.on_gradients_ready: list[Callable[[], object]] = []  # called before the update
        self._asked, self._interrupted = asked, interrupted

    def run(self, every: Intervals) -> float | None:
        """Run one; returns its rate, None where it was interrupted."""
        training = self.training
        display = bool(every.display) and training.iter % every.display == 0
        if every.debug_info:
            training.net.debug_info.on = training.net.source.debug_info or display
        for callback in self.on_start:
            callback()
        if not self._passes(every.passes):
            return None
        loss = training.losses.latest(read_back=display or training.guard.skips)
        if training.guard.leaves_out(loss, training.iter, training.schedule.last_rate):
            training.losses.drop()
        else:
            self._call_back()
            self._update(display)
        training.iter += 1
        return training.schedule.last_rate

    def _passes(self, passes: int) -> bool:
        """Forward and backward, `passes` times; returns whether all were done."""
        training = self.training
        heeds = passes > 1
        if training.guard.skips or heeds:
            training.statistics.keep()
        if heeds and not self.bookmark.is_set:  # else it marks the tests that this iteration began with
            self.bookmark.set()
        for number in range(passes):
            if number and heeds and self._asked() and self._broken_off():
                return False
            training.net.forward_backward()
            training.losses.add(number, passes)
        self.bookmark.clear()
        return True

    def _broken_off(self) -> bool:
        statistics = self.training.statistics
        with statistics.as_kept():  # a snapshot may be taken
            stop = self._interrupted()
        if stop:
            statistics.put_back()
            self.bookmark.go_back()
        return stop

    def _call_back(self) -> None:
        if self.on_gradients_ready:
            for callback in self.on_gradients_ready:
                callback()
            self.training.net.parameters.upload_views()

    def apply_update(self) -> None:
        """End an iteration whose gradients the caller has made: its update, and one more counted."""
        training = self.training
        training.net.parameters.upload_views()
        if training.schedule.reads_loss:
            training.losses.add(0, 1)
        self._update(display=False)
        training.net.parameters.changes.number += 1  # no forward need come before others read the weights
        training.iter += 1

    def _update(self, display: bool) -> None:
        """The end of an iteration: its rate, display, update and average."""
        training, schedule = self.training, self.training.schedule
        current = schedule.rate(training.iter, training.losses.mean() if schedule.reads_loss else None)
        if display:
            self.display.show(current)
        momentum_scale = schedule.momentum_scale(training.iter)
        if training.net.debug_info.on:
            with training.net.debug_info.updating():
                training.update.apply(current, training.iter, momentum_scale)
        else:
            training.update.apply(current, training.iter, momentum_scale)
        if training.average is not None:
            training.average.update(training.iter)
