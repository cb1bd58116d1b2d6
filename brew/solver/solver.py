"""Solver: the training loop, test passes, snapshots and exact resume (Caffe's Solver::Step and Solve, in its order)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from brew import prototxt, units
from brew.errors import DivergedError
from brew.files.atomic import check_writable
from brew.graph import notices
from brew.net.outputs import MOST_KEPT, first
from brew.net.parameters import Changed
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document
from brew.solver.snapshots import resume
from brew.solver.snapshots.bookmark import Bookmark
from brew.solver.snapshots.saver import Saver
from brew.solver.snapshots.snapshot import SnapshotPaths, check_names
from brew.solver.training.config import Intervals, SolverConfig
from brew.solver.training.events import Iterated, Stopped, Tested
from brew.solver.training.training import Training

from . import scores as test_run
from .display import Display
from .iteration import Iteration
from .waiting import Waiting

log = logging.getLogger("brew")
_SOLVER = {"glog": "solver.cpp:218"}  # the source line of Caffe that logs the same


class Solver(Training):
    """A training that runs: the loop over it, with its displays, tests and snapshots.

    Made by `brew.get_solver`. `iter` counts updates done; `net`, `test_nets` and `param` are public.
    `request("stop")` or `request("snapshot")`, from a signal handler or another thread, takes effect after the
    current iteration; `stopped` then says why training ended before max_iter. `keep` is the nets': with [] only outputs
    can be read, and layers share memory.
    """

    def __init__(
        self,
        solver: str | Path | Document[SolverParameter],
        *,
        device: str | None = None,
        overrides: Sequence[str] = (),
        level: int | None = None,
        stages: Sequence[str] = (),
        data_from_start: bool = False,
        reset_history: bool = False,
        ignore_mismatched: bool = False,
        max_bad_records: int | None = None,
        keep: Sequence[str] | None = None,
    ) -> None:
        document = prototxt.read(solver, SolverParameter) if isinstance(solver, str | Path) else solver
        prototxt.override_all(document.message, overrides)
        config = SolverConfig(document, max_bad_records)
        if config.param.snapshot or config.param.snapshot_after_train:
            check_writable(config.param.snapshot_prefix)
            check_names(config.param)
        super().__init__(
            config, device=device, level=level, stages=stages, ignore_mismatched=ignore_mismatched, keep=keep
        )
        self.data_from_start = data_from_start
        self.reset_history = reset_history
        self.stopped = ""
        self.bookmark = Bookmark(self)
        self.saver = Saver(self, self.bookmark)
        self.display = Display(self)
        self.iteration = Iteration(
            self, self.bookmark, self.display, asked=self._is_asked, interrupted=self._interrupted
        )
        self._requests: set[str] = set()
        self._deadline = float("inf")

    # --- training -------------------------------------------------------------------------------------------------

    def solve(self, resume_file: str | Path | None = None) -> None:
        """Train up to max_iter, from `resume_file` where given; snapshot and test at the end as Caffe does."""
        log.info("Solving %s", self.net.name, extra=_SOLVER)
        log.info("Learning Rate Policy: %s", self.param.lr_policy, extra=_SOLVER)
        if resume_file:
            log.info("Restoring previous solver status from %s", resume_file, extra=_SOLVER)
            self.restore(resume_file)
        began, waiting = time.perf_counter(), Waiting([self.net, *self.test_nets])
        try:
            self.step(max(self.param.max_iter - self.iter, 0))
            just_done = self.param.snapshot and self.iter % self.param.snapshot == 0
            if self.saver.failed or (self.param.snapshot_after_train and not just_done):
                self.snapshot()
            else:
                self.check_state()
        except DivergedError:
            self.tell(Stopped(self.iter, "diverged"))
            raise
        if self.stopped:
            log.info("Optimization stopped early.", extra=_SOLVER)
        else:
            self._finish()
        spent = time.perf_counter() - began
        waiting.report(spent)
        self.tell(Stopped(self.iter, self.stopped or "max_iter", spent, waiting.seconds))

    def _finish(self) -> None:
        """The last display, of one more forward, and the last test."""
        self.bookmark.set()
        if self.param.display and self.iter % self.param.display == 0:
            self.display.last()
        if self.param.test_interval and self.iter % self.param.test_interval == 0:
            self.test_all()
        if not self.stopped:
            self.bookmark.clear()
        log.info("Optimization Done.", extra=_SOLVER)

    def step(self, iterations: int) -> None:
        """Do `iterations` updates, with the rate, displays, tests and snapshots as `param` now says."""
        self.schedule.read_again()
        stop, every = self.iter + iterations, Intervals.of(self.param)
        self.stopped = ""
        self.display.start()
        notices.training_begins(self.net.source, self.net.graph, Changed(self.net.parameters), self.param.weight_decay)
        self._deadline = time.perf_counter() + (units.seconds(self.param.max_time) or float("inf"))
        while self.iter < stop and not self._must_stop():
            began = time.perf_counter()
            self.net.clear_param_diffs()
            if every.test and self.iter % every.test == 0 and (self.iter or self.param.test_initialization):
                self.bookmark.set()
                self.test_all()
                if self._must_stop():
                    return
                if every.passes == 1:  # else it stays until all passes are through
                    self.bookmark.clear()
            current_rate = self.iteration.run(every)
            if current_rate is None:
                return
            spent = time.perf_counter() - began
            self.seconds += spent
            if self.is_watched(Iterated):
                images = self.net.batch_size * every.passes
                self.tell(Iterated(self.iter, self.losses.latest(), current_rate, spent, images))
            if (self._requests and self._asked("snapshot")) or (every.snapshot and self.iter % every.snapshot == 0):
                self.saver.snapshot_or_warn()

    def apply_update(self) -> None:
        """Update the weights by the gradients as they are now, with the rate of now: Caffe's ApplyUpdate."""
        self.schedule.read_again()
        self.iteration.apply_update()

    def add_callback(self, on_start: Callable[[], object], on_gradients_ready: Callable[[], object]) -> None:
        """Call `on_start()` before the passes of each iteration, `on_gradients_ready()` between them and the update."""
        self.iteration.on_start.append(on_start)
        self.iteration.on_gradients_ready.append(on_gradients_ready)

    def _must_stop(self) -> bool:
        """Whether something asks training to end now; `stopped` says what."""
        if not self.stopped:
            if self._requests and self._asked("stop"):
                self.stopped = "request"
            elif self.best.exhausted:
                self.stopped = "patience"
                log.info('"%s" has not become better in %d tests: the best, %g, is of iteration %d', self.best.output,
                         self.best.waited, self.best.score, self.best.iteration)  # fmt: skip
            elif time.perf_counter() > self._deadline:
                self.stopped = "max_time"
                log.info("max_time, %s, is over at iteration %d", self.param.max_time, self.iter)
        return bool(self.stopped)

    # --- testing --------------------------------------------------------------------------------------------------

    def test_all(self) -> list[dict[str, float]]:
        """Run every test net for its test_iter passes; the mean of every output element, by name."""
        return [self.test(number) for number in range(len(self.test_nets)) if not self.stopped]

    def test(self, number: int) -> dict[str, float]:
        """Run test net `number`, on the averaged weights where there are some; {} when interrupted."""
        with self.bookmark.within(), self.average.averaged() if self.average is not None else nullcontext():
            scores = test_run.run(
                self.test_nets[number], self.param.test_iter[number], iteration=self.iter, number=number,
                with_loss=self.param.test_compute_loss, interrupted=self._interrupted,
                scoring=self.scorings[number],
            )  # fmt: skip
            if scores is None:
                return {}
            if self.best.improved(number, self.iter, scores):
                self.saver.save_best()
        self.tell(Tested(self.iter, number, first(scores, MOST_KEPT)))
        return scores

    def _is_asked(self) -> bool:
        """Whether a request or the end of max_time waits to be answered."""
        return bool(self._requests) or time.perf_counter() > self._deadline

    def _interrupted(self) -> bool:
        """Signals are honoured within a long test, and between the passes of an iteration, too."""
        if self._asked("snapshot"):
            self.saver.snapshot_or_warn()
        return self._must_stop()

    def _asked(self, action: str) -> bool:
        """Whether `action` was requested since the last time; a request is answered once."""
        asked = action in self._requests
        self._requests.discard(action)
        return asked

    # --- snapshots ------------------------------------------------------------------------------------------------

    def snapshot(self) -> SnapshotPaths:
        """Write weights and solver state; ResourceError when that fails."""
        return self.saver.snapshot()

    def restore(self, path: str | Path) -> None:
        """Go on exactly where the snapshot `path` (a .solverstate) was taken: weights, history, data, randomness."""
        resume.restore(self, path, data_from_start=self.data_from_start, reset_history=self.reset_history)
        self.bookmark.clear()

    # --- around ---------------------------------------------------------------------------------------------------

    def request(self, action: str) -> None:
        """Ask for "stop" or "snapshot" at the end of the current iteration; safe from signals and threads."""
        if action not in ("stop", "snapshot"):
            raise ValueError(f'request: "stop" or "snapshot", not {action!r}')
        self._requests.add(action)
