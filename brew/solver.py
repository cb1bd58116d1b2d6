"""Solver: the training loop, test passes, snapshots and exact resume (Caffe's Solver::Step and Solve, in its order)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from brew import epochs, memory, mode, prototxt, resume, test_run, told
from brew.atomic import check_writable
from brew.average import WeightAverage
from brew.best import Best
from brew.display import Display
from brew.divergence import check_loaded
from brew.duration import seconds
from brew.errors import DivergedError
from brew.events import KINDS, Displayed, Event, Step, Stopped, Tested
from brew.iteration import Iteration
from brew.keeper import Keeper
from brew.layer import TEST, TRAIN
from brew.learning_rate import Schedule
from brew.loss_window import LossWindow
from brew.net import Net
from brew.outputs import MOST_KEPT, first
from brew.parameters import Changed
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document
from brew.random import Seed
from brew.snapshot import SnapshotPaths, check_names
from brew.solver_config import Intervals, NetChoice, SolverConfig
from brew.stuck import Stuck
from brew.test_run import Bookmark
from brew.update import make_update, rule_class
from brew.weights_files import Weights

log = logging.getLogger("brew")
_SOLVER = {"glog": "solver.cpp:218"}  # where Caffe's lines come from, for those who parse logs by it


class Solver:
    """A training: one train net, test nets that share its weights, an update rule, and where it stands.

    Made by `brew.get_solver`. `iter` counts updates done; `net`, `test_nets` and `param` are open to look at.
    `request("stop")` or `request("snapshot")`, from a signal handler or another thread, is honoured after the
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
        self.config = SolverConfig(document, max_bad_records)
        self.param = self.config.param
        self.device = device or mode.default_device()
        self.data_from_start = data_from_start
        self.reset_history = reset_history
        self.ignore_mismatched = ignore_mismatched
        self._keep = keep
        self.iter = 0
        self.seconds = 0.0
        self._requests: set[str] = set()
        self.stopped = ""
        self.keeper = Keeper(self)
        self.bookmark = Bookmark(self)
        self.display = Display(self)
        self._watchers: dict[type[Event], list[Callable[[Event], None]]] = {kind: [] for kind in KINDS}
        self._deadline = float("inf")
        if self.param.snapshot or self.param.snapshot_after_train:
            check_writable(self.param.snapshot_prefix)
            check_names(self.param)
        self.seed = Seed(self.config.seed())
        with memory.limited(memory.size(self.param.max_memory)):
            self._build(level, stages)

    def _build(self, level: int | None, stages: Sequence[str]) -> None:
        kind = rule_class(self.param.type)
        assert kind is not None  # SolverConfig has checked it
        rule = kind(self.param)
        slots = rule.slots + (self.param.ema_decay > 0)
        choice, tests = self.config.train_net(), self.config.test_nets()
        self.net = self._make_net(choice, TRAIN, level, stages, history=slots)
        epochs.settle(self.config.document, self.net)
        log.info("%s", self.net.memory.text())
        log.debug("%s", self.net.memory.details())
        graph = self.net.graph
        if not any(any(node.wanted(graph.params).params) for node in graph.nodes):
            log.warning("net %s: nothing is learned: no loss, or nothing below one has an lr_mult", self.net.name)
        self.test_nets = [self._make_net(test, TEST, share=self.net) for test in tests]
        for net in self.test_nets:
            net.debug_info.on |= self.param.debug_info
        nets = [(net.source, net.graph) for net in (self.net, *self.test_nets)]
        told.training_built(nets, [each.definition for each in (choice, *tests)])
        self.update = make_update(self.net.parameters, self.net.engine, rule)
        self.schedule = Schedule(self.param)
        self.losses = LossWindow(self.net.loss_terms, self.param.average_loss, self.net.dtype, self.device)
        self.best = Best(self.config.document, self.test_nets)
        self.iteration = Iteration(self)
        self.guard = self.iteration.guard
        self.watch(Stuck(self.net), Displayed)
        decay = self.param.ema_decay
        self.average = WeightAverage(self.net.parameters, decay) if decay else None
        if files := self.config.weights():
            self.load_weights(files)
        self.guard.check_state((), "before the first iteration")
        log.info("Solver scaffolding done.", extra=_SOLVER)

    def _make_net(
        self, choice: NetChoice, phase: int, level: int | None = None, stages: Sequence[str] = (),
        share: Net | None = None, history: int = 0,
    ) -> Net:  # fmt: skip
        return Net(
            choice.definition, phase, states=choice.states, level=level, stages=stages, device=self.device,
            seed=self.seed, share=share, history_slots=history, keep=self._keep,
            forward_only=phase == TEST and self._keep is not None, recompute=phase == TRAIN and self.param.recompute,
            choices=self.config.choices() if phase == TRAIN else None,
        )  # fmt: skip

    # --- training -------------------------------------------------------------------------------------------------

    def solve(self, resume_file: str | Path | None = None) -> None:
        """Train up to max_iter, from `resume_file` where given; snapshot and test at the end as Caffe does."""
        log.info("Solving %s", self.net.name, extra=_SOLVER)
        log.info("Learning Rate Policy: %s", self.param.lr_policy, extra=_SOLVER)
        if resume_file:
            log.info("Restoring previous solver status from %s", resume_file, extra=_SOLVER)
            self.restore(resume_file)
        try:
            self.step(max(self.param.max_iter - self.iter, 0))
            just_done = self.param.snapshot and self.iter % self.param.snapshot == 0
            if self.keeper.failed or (self.param.snapshot_after_train and not just_done):
                self.snapshot()
            else:
                self.keeper.check_state()
        except DivergedError:
            self.tell(Stopped(self.iter, "diverged"))
            raise
        if self.stopped:
            log.info("Optimization stopped early.", extra=_SOLVER)
        else:
            self._finish()
        self.tell(Stopped(self.iter, self.stopped or "max_iter"))

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
        """Do `iterations` updates, with the displays, tests and snapshots that `param` now says fall due."""
        stop, every = self.iter + iterations, Intervals.of(self.param)
        self.stopped = ""
        self.display.start()
        told.training_begins(self.net.source, self.net.graph, Changed(self.net.parameters), self.param.weight_decay)
        self._deadline = time.perf_counter() + (seconds(self.param.max_time) or float("inf"))
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
            current_rate = self.iteration.run(every, self._interrupted)
            if current_rate is None:
                return
            spent = time.perf_counter() - began
            self.seconds += spent
            if self._watchers[Step]:
                images = self.net.batch_size * every.passes
                self.tell(Step(self.iter, self.losses.latest(), current_rate, spent, images))
            if (self._requests and self._asked("snapshot")) or (every.snapshot and self.iter % every.snapshot == 0):
                self.keeper.snapshot_or_warn()

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
            )  # fmt: skip
            if scores is None:
                return {}
            if self.best.improved(number, self.iter, scores):
                self.keeper.save_best()
        self.tell(Tested(self.iter, number, first(scores, MOST_KEPT)))
        return scores

    def _interrupted(self) -> bool:
        """Signals are honoured within a long test, and between the passes of an iteration, too."""
        if self._asked("snapshot"):
            self.keeper.snapshot_or_warn()
        return self._must_stop()

    def _asked(self, action: str) -> bool:
        """Whether `action` was requested since the last time; a request is answered once."""
        asked = action in self._requests
        self._requests.discard(action)
        return asked

    # --- snapshots ------------------------------------------------------------------------------------------------

    def snapshot(self) -> SnapshotPaths:
        """Write weights and solver state; ResourceError when that fails."""
        return self.keeper.snapshot()

    def restore(self, path: str | Path) -> None:
        """Go on exactly where the snapshot `path` (a .solverstate) was taken: weights, history, data, randomness."""
        resume.restore(self, path)

    # --- around ---------------------------------------------------------------------------------------------------

    def load_weights(self, files: Weights) -> None:
        """Copy weights by layer name into the train net, and into test nets that have parameters of their own."""
        for net in [self.net, *(net for net in self.test_nets if net.parameters.starts)]:
            net.copy_from(files, ignore_mismatched=self.ignore_mismatched)
            check_loaded(net.parameters, files)
        if self.average is not None:
            self.average.reset()

    def request(self, action: str) -> None:
        """Ask for "stop" or "snapshot" at the end of the current iteration; safe from signals and threads."""
        if action not in ("stop", "snapshot"):
            raise ValueError(f'request: "stop" or "snapshot", not {action!r}')
        self._requests.add(action)

    def watch(self, callback: Callable[[Event], None], *kinds: type[Event]) -> None:
        """Call `callback` with every event (brew.events), or those of the given kinds, from the training thread."""
        for kind in kinds or KINDS:
            self._watchers[kind].append(callback)

    def tell(self, event: Event) -> None:
        """Let everybody who watches know of `event`."""
        for callback in self._watchers[type(event)]:
            callback(event)

    def close(self) -> None:
        """Stop the data threads of all nets."""
        for net in [self.net, *self.test_nets]:
            net.close()
