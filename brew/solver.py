"""Solver: the training loop, test passes, snapshots and exact resume (Caffe's Solver::Step and Solve, in its order)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from brew import mode, prototxt, resume, snapshot
from brew.atomic import check_writable
from brew.blob import Blob
from brew.errors import DivergedError, ResourceError
from brew.events import Event, Snapshotted, Step, Tested
from brew.layer import TEST, TRAIN
from brew.learning_rate import next_step, rate
from brew.loss_window import LossWindow
from brew.net import Net, Weights
from brew.outputs import Means, log_outputs
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document
from brew.random import Seed
from brew.solver_config import NetChoice, SolverConfig
from brew.update import make_update, rule_class

log = logging.getLogger("brew")
# The places Caffe's lines come from, for those who parse logs by them.
_SOLVER, _TEST, _RATE = ({"glog": where} for where in ("solver.cpp:218", "solver.cpp:404", "sgd_solver.cpp:105"))


class Solver:
    """A training: one train net, test nets that share its weights, an update rule, and where it stands.

    Made by `brew.get_solver`. `iter` counts updates done; `net`, `test_nets` and `param` are open to look at.
    `request("stop")` or `request("snapshot")`, from a signal handler or another thread, is honoured after the
    current iteration.
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
    ) -> None:
        document = prototxt.read(solver, SolverParameter) if isinstance(solver, str | Path) else solver
        for override in overrides:
            prototxt.override(document.message, override)
        self.config = SolverConfig(document)
        self.param = self.config.param
        self.device = device or mode.default_device()
        self.data_from_start = data_from_start
        self.iter = 0
        self.current_step = 0
        self.seconds = 0.0
        self._requests: set[str] = set()
        self._stopped = False
        self._snapshot_failed = False
        self._watchers: list[Callable[[Event], None]] = []
        if self.param.snapshot or self.param.snapshot_after_train:
            check_writable(self.param.snapshot_prefix)
        self.seed = Seed(self.config.seed())
        self._build(level, stages)

    def _build(self, level: int | None, stages: Sequence[str]) -> None:
        kind = rule_class(self.param.type)
        assert kind is not None  # SolverConfig has checked it
        rule = kind(self.param)
        self.net = self._make_net(self.config.train_net(), TRAIN, level, stages, history=rule.slots)
        log.info("%s", self.net.memory.text())
        graph = self.net.graph
        if not any(any(node.wanted(graph.params).params) for node in graph.nodes):
            log.warning("net %s: nothing is learned: no loss, or nothing below one has an lr_mult", self.net.name)
        self.test_nets = [self._make_net(choice, TEST, share=self.net) for choice in self.config.test_nets()]
        self.update = make_update(self.net, rule)
        self.losses = LossWindow(self.net, self.param.average_loss)
        for path in self.config.weights():
            self.load_weights(path)
        log.info("Solver scaffolding done.", extra=_SOLVER)

    def _make_net(
        self, choice: NetChoice, phase: int, level: int | None = None, stages: Sequence[str] = (),
        share: Net | None = None, history: int = 0,
    ) -> Net:  # fmt: skip
        return Net(
            choice.definition, phase, states=choice.states, level=level, stages=stages, device=self.device,
            seed=self.seed, share=share, history_slots=history,
        )  # fmt: skip

    # --- training -------------------------------------------------------------------------------------------------

    def solve(self, resume_file: str | Path | None = None) -> None:
        """Train up to max_iter, from `resume_file` where given; snapshot and test at the end as Caffe does."""
        log.info("Solving %s", self.net.name, extra=_SOLVER)
        log.info("Learning Rate Policy: %s", self.param.lr_policy, extra=_SOLVER)
        if resume_file:
            log.info("Restoring previous solver status from %s", resume_file, extra=_SOLVER)
            self.restore(resume_file)
        self._stopped = False
        self.step(max(self.param.max_iter - self.iter, 0))
        just_done = self.param.snapshot and self.iter % self.param.snapshot == 0
        if self._snapshot_failed or (self.param.snapshot_after_train and not just_done):
            self.snapshot()
        if self._stopped:
            log.info("Optimization stopped early.", extra=_SOLVER)
            return
        if self.param.display and self.iter % self.param.display == 0:
            self._forward_backward(backward=False)
            log.info("Iteration %d, loss = %g", self.iter, self.losses.mean(), extra=_SOLVER)
        if self.param.test_interval and self.iter % self.param.test_interval == 0:
            self.test_all()
        log.info("Optimization Done.", extra=_SOLVER)

    @property
    def stopped(self) -> bool:
        """Whether the last `solve` or `step` ended because `request("stop")` asked for it."""
        return self._stopped

    def step(self, iterations: int) -> None:
        """Do `iterations` updates, with the displays, tests and snapshots that fall due."""
        param, stop = self.param, self.iter + iterations
        self._stopped = False
        self._timer = time.perf_counter()
        self._timed_from = self.iter
        while self.iter < stop:
            began = time.perf_counter()
            self.net.clear_param_diffs()
            if self._test_is_due():
                self.test_all()
                if self._stopped:
                    return
            self._forward_backward()
            display = bool(param.display) and self.iter % param.display == 0
            if display:
                self._display()
            current_rate = self._apply_update(display)
            ended = time.perf_counter()
            self.seconds += ended - began
            images = self.net.batch_size * param.iter_size
            self._tell(Step(self.iter, self.losses.latest(), current_rate, ended - began, images))
            if self._asked("snapshot") or (param.snapshot and self.iter % param.snapshot == 0):
                self._snapshot_or_warn()
            if self._asked("stop"):
                self._stopped = True
                return

    def _test_is_due(self) -> bool:
        every = self.param.test_interval
        return bool(every) and self.iter % every == 0 and (self.iter > 0 or self.param.test_initialization)

    def _forward_backward(self, backward: bool = True) -> None:
        """iter_size passes whose gradients add up; only the forward, once, for the last display."""
        passes = self.param.iter_size if backward else 1
        for number in range(passes):
            self.net.run_forward()
            self.losses.add(number, passes)
            if backward:
                self.net.run_backward()
        self._check_finite(self.losses.latest())

    def _check_finite(self, loss: float | None) -> None:
        """Only a loss that is not a number any more stops a training by itself (DECISIONS 17)."""
        if loss is None or math.isfinite(loss):
            return
        first = next((name for name, blob in self.net.blobs.items() if not self._finite(blob)), "the loss")
        raise DivergedError(
            f'iteration {self.iter}: the loss is {loss}; the first blob that is not finite is "{first}"',
            hint="usual causes: base_lr too high, input not scaled, labels out of range; "
            f"last rate {rate(self.param, self.iter, self.current_step):g}",
        )

    def _finite(self, blob: Blob) -> bool:
        return bool(np.isfinite(blob.data_memory.host(blob.shape)).all())

    def _display(self) -> None:
        now = time.perf_counter()
        done, spent = self.iter - self._timed_from, now - self._timer
        self._timer, self._timed_from = now, self.iter
        loss = self.losses.mean()
        self._check_finite(loss)
        per_second = done / spent if spent > 0 else 0.0
        log.info(
            "Iteration %d (%g iter/s, %gs/%d iters), loss = %g", self.iter, per_second, spent, self.param.display, loss,
            extra=_SOLVER,
        )  # fmt: skip
        log_outputs("Train", self.net.output_values(), _SOLVER)

    def _apply_update(self, display: bool) -> float:
        self.current_step = next_step(self.param, self.iter, self.current_step)
        current = rate(self.param, self.iter, self.current_step)
        if display:
            log.info("Iteration %d, lr = %g", self.iter, current, extra=_RATE)
        self.update.apply(current, self.iter)
        self.iter += 1
        return current

    # --- testing --------------------------------------------------------------------------------------------------

    def test_all(self) -> list[dict[str, float]]:
        """Run every test net for its test_iter passes; the mean of every output element, by name."""
        return [self.test(number) for number in range(len(self.test_nets)) if not self._stopped]

    def test(self, number: int) -> dict[str, float]:
        """Run test net `number`."""
        net, passes = self.test_nets[number], self.param.test_iter[number]
        log.info("Iteration %d, Testing net (#%d)", self.iter, number, extra=_TEST)
        means, loss = Means(), 0.0
        for _ in range(passes):
            if self._interrupted():
                log.info("Test interrupted.", extra=_TEST)
                return {}
            net.run_forward()
            means.add(net.output_values())
            loss += net.loss() if self.param.test_compute_loss else 0.0
        if self.param.test_compute_loss:
            log.info("Test loss: %g", loss / passes, extra=_TEST)
        log_outputs("Test", means.outputs(), _TEST)
        scores = means.by_name()
        self._tell(Tested(self.iter, number, scores))
        return scores

    def _interrupted(self) -> bool:
        """Signals are honoured within a long test too."""
        if self._asked("snapshot"):
            self._snapshot_or_warn()
        self._stopped = self._stopped or self._asked("stop")
        return self._stopped

    def _asked(self, action: str) -> bool:
        """Whether `action` was requested since the last time; a request is answered once."""
        asked = action in self._requests
        self._requests.discard(action)
        return asked

    # --- snapshots ------------------------------------------------------------------------------------------------

    def snapshot(self) -> snapshot.SnapshotPaths:
        """Write weights and solver state; ResourceError when that fails."""
        history, state = resume.history_values(self), resume.state_of(self)
        files = snapshot.write(self.net, self.param, self.iter, history, self.current_step, state)
        self._snapshot_failed = False
        self._tell(Snapshotted(self.iter, files.weights, files.state))
        return files

    def _snapshot_or_warn(self) -> None:
        """A snapshot on the way: a failure warns, and the next one tries again (DECISIONS 18)."""
        try:
            self.snapshot()
        except ResourceError as error:
            self._snapshot_failed = True
            log.warning("snapshot at iteration %d failed, training goes on: %s", self.iter, error)

    def restore(self, path: str | Path) -> None:
        """Go on exactly where the snapshot `path` (a .solverstate) was taken: weights, history, data, randomness."""
        resume.restore(self, path)

    # --- around ---------------------------------------------------------------------------------------------------

    def load_weights(self, files: Weights) -> None:
        """Copy weights by layer name into the train net and every test net; files as in `Net.copy_from`."""
        for net in [self.net, *self.test_nets]:
            net.copy_from(files)

    def request(self, action: str) -> None:
        """Ask for "stop" or "snapshot" at the end of the current iteration; safe from signals and threads."""
        if action not in ("stop", "snapshot"):
            raise ValueError(f'request: "stop" or "snapshot", not {action!r}')
        self._requests.add(action)

    def watch(self, callback: Callable[[Event], None]) -> None:
        """Call `callback` with every event (brew.events), from the training thread."""
        self._watchers.append(callback)

    def _tell(self, event: Event) -> None:
        for callback in self._watchers:
            callback(event)

    def close(self) -> None:
        """Stop the data threads of all nets."""
        for net in [self.net, *self.test_nets]:
            net.close()
