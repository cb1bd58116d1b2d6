"""A training: its nets, its update rule, their state. The loop over it: brew.solver.iteration, brew.solver.solver."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from brew import units
from brew.files.weights.reading import Weights
from brew.graph import notices
from brew.layer import TEST, TRAIN
from brew.layer.random import Seed
from brew.net import mode
from brew.net.memory_report import Budget
from brew.net.net import Net
from brew.net.statistics import Statistics
from brew.solver.update.average import WeightAverage
from brew.solver.update.make import make_update, rule_class

from . import epochs, test_metrics
from .best import Best
from .config import NetChoice, SolverConfig
from .divergence import Guard, check_loaded
from .events import KINDS, Displayed, Event
from .learning_rate import RateSchedule
from .losses import LossWindow
from .stuck import Stuck

log = logging.getLogger("brew")
_SOLVER = {"glog": "solver.cpp:218"}  # the source line of Caffe that logs the same


class Training:
    """One train net, test nets that share its weights, an update rule, and their state.

    config, param       the settings of the solver's file
    net, test_nets      made on `device`; `keep` is theirs
    update, schedule    how an iteration ends, and with which learning rate
    losses, best        the smoothed loss, and the best test so far
    scorings            the metrics of each test net (`test_metrics`), None for one without
    statistics, guard   the parameters that forward changes, and the check that all stay finite
    average             the moving average of the weights; None without ema_decay
    seed                the key of all random numbers
    iter, seconds       updates done, and the time they took
    """

    def __init__(
        self,
        config: SolverConfig,
        *,
        device: str | None = None,
        level: int | None = None,
        stages: Sequence[str] = (),
        ignore_mismatched: bool = False,
        keep: Sequence[str] | None = None,
    ) -> None:
        self.config = config
        self.param = config.param
        self.device = device or mode.default_device()
        self.ignore_mismatched = ignore_mismatched
        self._keep = keep
        self.iter = 0
        self.seconds = 0.0
        self._watchers: dict[type[Event], list[Callable[[Event], None]]] = {kind: [] for kind in KINDS}
        self.seed = Seed(config.seed())
        self._build(level, stages)

    def _build(self, level: int | None, stages: Sequence[str]) -> None:
        budget = Budget(units.size(self.param.max_memory))
        kind = rule_class(self.param.type)
        assert kind is not None  # SolverConfig has checked it
        rule = kind(self.param)
        slots = rule.slots + (self.param.ema_decay > 0)
        choice, tests = self.config.train_net(), self.config.test_nets()
        self.net = self._make_net(choice, TRAIN, budget, level, stages, history=slots)
        epochs.to_iterations(self.config.document, self.net)
        log.info("%s", self.net.memory.text())
        log.debug("%s", self.net.memory.details())
        graph = self.net.graph
        if not any(any(node.wanted(graph.params).params) for node in graph.nodes):
            log.warning("net %s: nothing is learned: no loss, or nothing below one has an lr_mult", self.net.name)
        self.scorings = test_metrics.scorings(self.config.document, tests)
        self.test_nets = [
            self._make_net(test, TEST, budget, share=self.net, kept=scoring.blobs if scoring else ())
            for test, scoring in zip(tests, self.scorings, strict=True)
        ]
        for net in self.test_nets:
            net.debug_info.on |= self.param.debug_info
        nets = [(net.source, net.graph) for net in (self.net, *self.test_nets)]
        notices.training_built(nets, [each.definition for each in (choice, *tests)])
        self.update = make_update(self.net.parameters, self.net.engine, rule)
        self.schedule = RateSchedule(self.param)
        self.losses = LossWindow(self.net.loss_terms, self.param.average_loss, self.net.dtype, self.device)
        self.best = Best(self.config.document, self.test_nets, test_metrics.begun(self.scorings, self.test_nets))
        self.statistics = Statistics(self.net.parameters)
        self.guard = Guard(self.net, self.param, self.statistics)
        self.watch(Stuck(self.net), Displayed)
        decay = self.param.ema_decay
        self.average = WeightAverage(self.net.parameters, decay) if decay else None
        if files := self.config.weights():
            self.load_weights(files)
        self.guard.check_state((), "before the first iteration")
        log.info("Solver scaffolding done.", extra=_SOLVER)

    def _make_net(
        self, choice: NetChoice, phase: int, budget: Budget, level: int | None = None, stages: Sequence[str] = (),
        share: Net | None = None, history: int = 0, kept: Sequence[str] = (),
    ) -> Net:  # fmt: skip
        keep = None if self._keep is None else [*self._keep, *kept]
        return Net(
            choice.definition, phase, states=choice.states, level=level, stages=stages, device=self.device,
            seed=self.seed, share=share, history_slots=history, keep=keep,
            forward_only=phase == TEST and self._keep is not None, recompute=phase == TRAIN and self.param.recompute,
            choices=self.config.choices() if phase == TRAIN else None, budget=budget,
        )  # fmt: skip

    def load_weights(self, files: Weights) -> None:
        """Copy weights by layer name into the train net, and into test nets that have parameters of their own."""
        for net in [self.net, *(net for net in self.test_nets if net.parameters.starts)]:
            net.copy_from(files, ignore_mismatched=self.ignore_mismatched)
            check_loaded(net.parameters, files)
        if self.average is not None:
            self.average.reset()

    def check_state(self) -> None:
        """DivergedError where weights or history are not finite: they must not be written."""
        self.guard.check_state(self.update.history, f"iteration {self.iter}")

    def watch(self, callback: Callable[[Event], None], *kinds: type[Event]) -> None:
        """Call `callback` with every event (.events), or those of the given kinds, from the training thread."""
        for kind in kinds or KINDS:
            self._watchers[kind].append(callback)

    def is_watched(self, kind: type[Event]) -> bool:
        """Whether a callback watches events of this kind."""
        return bool(self._watchers[kind])

    def tell(self, event: Event) -> None:
        """Call all callbacks that watch events of this kind with `event`."""
        for callback in self._watchers[type(event)]:
            callback(event)

    def close(self) -> None:
        """Stop the data threads of all nets."""
        for net in [self.net, *self.test_nets]:
            net.close()
