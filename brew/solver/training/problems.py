"""The mistakes in a solver's message: every error, each at its field. No file is opened here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from brew.errors import Place, SolverError, UsageError, did_you_mean
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document
from brew.solver.scoring import names
from brew.solver.update.make import rule_class, rule_names
from brew.units import seconds, size

from .learning_rate import POLICIES
from .update_problems import rate_problems, update_problems

NET_FIELDS = ("net", "net_param", "train_net", "train_net_param")
_NOT_NEGATIVE = (
    "base_lr", "momentum", "weight_decay", "max_iter", "test_interval", "display", "snapshot", "stepsize", "keep",
    "patience", "min_delta", "max_epochs", "test_epochs", "snapshot_epochs",
)  # fmt: skip
_FINITE = (*_NOT_NEGATIVE, "gamma", "power", "clip_gradients", "clip_value", "delta")
_AT_LEAST_ONE = ("iter_size", "average_loss")
_EITHER = (("max_iter", "max_epochs"), ("test_interval", "test_epochs"), ("snapshot", "snapshot_epochs"))
_ADD = "add it to the solver"
_ONCE = "test_iter: records of the test data divided by its batch_size is once through"


@dataclass(frozen=True, slots=True)
class Remark:
    """A likely mistake in a solver that can run all the same."""

    message: str
    place: Place
    hint: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


def problems(document: Document[SolverParameter]) -> Iterator[SolverError]:
    """Every reason why this solver cannot run. The message has its `type` already, not an old solver_type."""
    for check in _CHECKS:
        yield from check(_Checked(document))


def remarks(document: Document[SolverParameter]) -> Iterator[Remark]:
    """Settings that are allowed but look like an oversight."""
    param = document.message
    if not param.HasField("base_lr") and param.lr_policy != "multifixed":
        yield Remark("no base_lr: the rate is 0 and nothing is learned", Place(document.file), _ADD)
    for i, passes in enumerate(param.test_iter):
        if passes == 0:
            yield Remark("test_iter is 0: tests of this net run no batch", document.place("test_iter", i), _ONCE)
    policy = POLICIES.get(param.lr_policy)
    for field in policy.wants if policy else ():
        if not is_given(param, field):
            what = f'lr_policy "{param.lr_policy}" reads {field}, which is missing'
            yield Remark(what, document.place("lr_policy"), _ADD)


def is_given(param: SolverParameter, field: str) -> bool:
    """Whether the solver sets `field`, which may be a repeated one."""
    return any(known.name == field for known, _ in param.ListFields())


@dataclass(frozen=True, slots=True)
class _Checked:
    """A solver's message, and errors placed at its fields."""

    document: Document[SolverParameter]

    @property
    def param(self) -> SolverParameter:
        return self.document.message

    def error(self, message: str, *path: str | int, hint: str | None = None) -> SolverError:
        return SolverError(f"solver: {message}", place=self.document.place(*path), hint=hint)


def _type(solver: _Checked) -> Iterator[SolverError]:
    param, rule = solver.param, rule_class(solver.param.type)
    if rule is None:
        near, known = did_you_mean(param.type, rule_names()), ", ".join(rule_names())
        yield solver.error(
            f'unknown type "{param.type}"', "type", hint=f"{near or ''} known types: {known}".strip()
        )  # fmt: skip
    elif not rule.takes_momentum and param.momentum:
        yield solver.error(f"{rule.type} takes no momentum, it is {param.momentum:g}", "momentum")


def _numbers(solver: _Checked) -> Iterator[SolverError]:
    param = solver.param
    for field in _FINITE:
        value = getattr(param, field)
        if not math.isfinite(value):
            yield solver.error(f"{field} must be finite, it is {value}", field)
        elif value < 0 and field in _NOT_NEGATIVE:
            yield solver.error(f"{field} must not be negative, it is {value:g}", field)
    for field in _AT_LEAST_ONE:
        if getattr(param, field) < 1:
            yield solver.error(f"{field} must be at least 1, it is {getattr(param, field)}", field)
    if param.regularization_type not in ("L1", "L2"):
        what = f'unknown regularization_type "{param.regularization_type}"'
        yield solver.error(what, "regularization_type", hint="L1 or L2")


def _limits(solver: _Checked) -> Iterator[SolverError]:
    """How long to train, and how often to test, in iterations or in epochs; and in how much memory."""
    param = solver.param
    for iterations, epochs in _EITHER:
        if param.HasField(iterations) and param.HasField(epochs):
            yield solver.error(f"{iterations} and {epochs} are both given", epochs, hint="keep one of them")
    if not param.HasField("max_iter") and not param.HasField("max_epochs"):
        yield solver.error("max_iter is missing", hint="max_iter: 10000, say, or max_epochs: 20")
    if param.HasField("max_time") and seconds(param.max_time) is None:
        hint = "as in 90m, 4h or 1d12h; a number alone counts seconds"
        yield solver.error(f'max_time is "{param.max_time}", which is no length of time', "max_time", hint=hint)
    if param.HasField("max_memory") and size(param.max_memory) is None:
        hint = "as in 8G or 500M; a number alone counts bytes"
        yield solver.error(f'max_memory is "{param.max_memory}", which is no size', "max_memory", hint=hint)


def _rate(solver: _Checked) -> Iterator[SolverError]:
    param = solver.param
    if param.lr_policy not in POLICIES:
        what = f'unknown lr_policy "{param.lr_policy}"' if param.lr_policy else "lr_policy is missing"
        near = did_you_mean(param.lr_policy, POLICIES)
        yield solver.error(what, "lr_policy", hint=f"{near or ''} policies: {', '.join(POLICIES)}".strip())
    if param.lr_policy == "step" and param.stepsize <= 0:
        came = f"it is {param.stepsize}" if param.HasField("stepsize") else "it is missing"
        yield solver.error(f'lr_policy "step": stepsize must be at least 1, {came}', "stepsize")
    for message, path, hint in rate_problems(param):
        yield solver.error(message, *path, hint=hint)
    for i in range(1, len(param.stepvalue)):
        if param.stepvalue[i] < param.stepvalue[i - 1]:
            what = f"stepvalue must rise: {param.stepvalue[i]} comes after {param.stepvalue[i - 1]}"
            yield solver.error(what, "stepvalue", i, hint="write them in rising order")


def after_epochs(document: Document[SolverParameter]) -> Iterator[SolverError]:
    """Errors that show only once max_iter is known, where max_epochs gave it."""
    yield from _rate(_Checked(document))


def _update(solver: _Checked) -> Iterator[SolverError]:
    for message, path, hint in update_problems(solver.param):
        yield solver.error(message, *path, hint=hint)


def _train_net(solver: _Checked) -> Iterator[SolverError]:
    given = [f for f in NET_FIELDS if solver.param.HasField(f)]
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "no net is given"
        yield solver.error(
            f"{what}; exactly one of {', '.join(NET_FIELDS)} says what to train", *given[1:2],
            hint=None if given else 'add a line net: "train_val.prototxt"',
        )  # fmt: skip


def _test_nets(solver: _Checked) -> Iterator[SolverError]:
    param = solver.param
    own = len(param.test_net_param) + len(param.test_net)
    shared = param.HasField("net_param") or param.HasField("net")
    wanted = len(param.test_iter)
    if wanted < own or (wanted > own and not shared):
        what = f"test_iter is given {wanted} times for {own} test nets"
        yield solver.error(what, "test_iter", hint="one test_iter for each test net")
    if wanted and param.test_state and len(param.test_state) != wanted:
        yield solver.error(f"test_state is given {len(param.test_state)} times for {wanted} test nets", "test_state")
    if wanted and param.test_interval <= 0 and not param.test_epochs:
        yield solver.error("there is a test net, but no test_interval", "test_iter", hint="test_interval: 500, say")
    for i, count in enumerate(param.test_iter):
        if count < 0:
            yield solver.error(f"test_iter must not be negative, it is {count}", "test_iter", i)


def _best(solver: _Checked) -> Iterator[SolverError]:
    param = solver.param
    if param.patience and not param.best:
        yield solver.error("patience needs to know what to watch", "patience", hint='best: "accuracy", say')
    if param.best and not any(param.test_iter):
        what = f'best is "{param.best}", an output of a test net, and there is no test'
        yield solver.error(what, "best", hint="test_iter and test_interval ask for tests")


def _metrics(solver: _Checked) -> Iterator[SolverError]:
    try:
        names.listed(solver.param.test_metrics)
    except UsageError as error:
        yield solver.error(f"test_metrics: {error.message}", "test_metrics", hint=error.hint)


_CHECKS: tuple[Callable[[_Checked], Iterator[SolverError]], ...] = (
    _type, _train_net, _numbers, _limits, _rate, _update, _test_nets, _best, _metrics,
)  # fmt: skip
