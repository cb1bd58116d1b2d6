"""Common mistakes in solvers: rates that never change, fields that are not read, tests that never run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from brew.errors import BrewError
from brew.layer import Layer, count
from brew.layer.data_layer import DataLayer
from brew.net.outputs import MOST_SHOWN
from brew.proto.brew_pb2 import LayerParameter, SolverParameter
from brew.prototxt import Document
from brew.prototxt.placed import PlacedLayer
from brew.solver.training.learning_rate import POLICIES
from brew.solver.training.problems import is_given
from brew.solver.update.rule import rule_class, rules

from .rules import Note, Rules
from .view import View, facts, is_loss

SOLVER_RULES: Rules[SolverView] = Rules()


@dataclass(frozen=True, slots=True)
class SolverView:
    """A solver with its nets: the training's, and by number those of the tests, where they could be looked at.

    `idle` are layers of its nets that exist in none of them.
    """

    document: Document[SolverParameter]
    train: View | None
    tests: dict[int, View]
    idle: Sequence[PlacedLayer] = ()

    @property
    def param(self) -> SolverParameter:
        return self.document.message

    def note(self, message: str, *path: str | int, hint: str) -> Note:
        return Note(f"solver: {message}", self.document.place(*path), hint)


@SOLVER_RULES.add("B251")
def late_steps(solver: SolverView) -> Iterator[Note]:
    """A stepsize or stepvalue at or behind max_iter: the rate never drops there."""
    param = solver.param
    if not param.max_iter:
        return
    if param.lr_policy == "step" and param.stepsize >= param.max_iter:
        what = f"stepsize is {param.stepsize}, max_iter {param.max_iter}: the rate never drops"
        yield solver.note(what, "stepsize", hint='a smaller stepsize, or lr_policy: "fixed"')
    if param.lr_policy == "multistep":
        for i, value in enumerate(param.stepvalue):
            if value >= param.max_iter:
                what = f"stepvalue {value} is never reached: max_iter is {param.max_iter}"
                yield solver.note(what, "stepvalue", i, hint="a smaller stepvalue, or leave it out")


@SOLVER_RULES.add("B252")
def idle_policy_field(solver: SolverView) -> Iterator[Note]:
    """A field that the lr_policy does not read, such as gamma with "fixed"."""
    name = solver.param.lr_policy
    if name not in POLICIES:
        return
    for field in dict.fromkeys(f for policy in POLICIES.values() for f in policy.reads):
        if is_given(solver.param, field) and field not in POLICIES[name].reads:
            readers = ", ".join(f'"{n}"' for n, policy in POLICIES.items() if field in policy.reads)
            what = f'lr_policy "{name}" does not read {field}'
            yield solver.note(what, field, hint=f"leave it out, or take a policy that does: {readers}")


@SOLVER_RULES.add("B253")
def idle_type_field(solver: SolverView) -> Iterator[Note]:
    """A field that the solver's type does not read, such as rms_decay with "SGD"."""
    rule, every = rule_class(solver.param.type), rules()
    if rule is None:
        return
    for field in dict.fromkeys(f for other in every.values() for f in other.reads):
        if is_given(solver.param, field) and field not in rule.reads:
            readers = ", ".join(sorted(name for name, other in every.items() if field in other.reads))
            what = f'type "{rule.type}" does not read {field}'
            yield solver.note(what, field, hint=f"leave it out, or take a type that does: {readers}")


@SOLVER_RULES.add("B254")
def adam_without_momentum(solver: SolverView) -> Iterator[Note]:
    """Adam, AdamW or LAMB without momentum: it is the first decay (beta1), and Caffe's default is 0, not 0.9."""
    rule = rule_class(solver.param.type)
    if rule is not None and "momentum2" in rule.reads and not solver.param.momentum:
        what = f"{rule.type} with momentum 0 averages no gradients (momentum is its beta1)"
        yield solver.note(what, "momentum" if solver.param.HasField("momentum") else "type", hint="momentum: 0.9")


@SOLVER_RULES.add("B255")
def odd_numbers(solver: SolverView) -> Iterator[Note]:
    """Numbers that cannot train: base_lr 0, momentum of 1 or more, clip_gradients 0, a gamma above 1."""
    param = solver.param
    if param.HasField("base_lr") and param.base_lr == 0:
        yield solver.note("base_lr is 0: nothing is learned", "base_lr", hint="base_lr: 0.01, say")
    if param.momentum >= 1:
        yield solver.note(f"momentum is {param.momentum:g}: updates grow without end", "momentum", hint="momentum: 0.9")
    if param.HasField("clip_gradients") and param.clip_gradients == 0:
        hint = "leave it out for no limit"
        yield solver.note("clip_gradients is 0: every gradient becomes 0", "clip_gradients", hint=hint)
    if param.lr_policy in ("step", "multistep", "exp") and param.gamma > 1:
        what = f"gamma is {param.gamma:g}: the rate grows with every step"
        yield solver.note(what, "gamma", hint="gamma: 0.1, say")


@SOLVER_RULES.add("B256")
def no_tests(solver: SolverView) -> Iterator[Note]:
    """Tests that never come: test_interval without test_iter, or beyond max_iter."""
    param = solver.param
    if param.test_interval and not param.test_iter:
        what = "test_interval is given and test_iter is not: there are no tests"
        yield solver.note(what, "test_interval", hint="test_iter: the number of test batches")
    elif 0 < param.max_iter < param.test_interval and param.test_iter:
        what = (
            f"test_interval is {param.test_interval}, max_iter {param.max_iter}: no test during or after the training"
        )
        yield solver.note(what, "test_interval", hint="a smaller test_interval")


@SOLVER_RULES.add("B257")
def nothing_saved(solver: SolverView) -> Iterator[Note]:
    """Neither snapshot nor snapshot_after_train: what was learned is lost."""
    param = solver.param
    every = param.snapshot if not param.max_iter or param.snapshot <= param.max_iter else 0
    if not param.snapshot_after_train and not every and not param.snapshot_epochs:
        what = "snapshot_after_train is false and no snapshot comes before: what is learned is not saved"
        yield solver.note(what, "snapshot_after_train", hint="leave snapshot_after_train out")


@SOLVER_RULES.add("B258")
def no_loss(solver: SolverView) -> Iterator[Note]:
    """A train net without a loss: nothing is learned."""
    train = solver.train
    if train is not None and not train.trains:
        yield solver.note(
            f"the train net has no loss in {train.state}: nothing is learned", *_net_field(solver.param),
            hint='add a layer such as { type: "SoftmaxWithLoss" bottom: "score" bottom: "label" }',
        )  # fmt: skip


@SOLVER_RULES.add("B259")
def no_score(solver: SolverView) -> Iterator[Note]:
    """A test net without a loss or Accuracy: its averages say nothing about how well the net does."""
    for number, view in solver.tests.items():
        if not any(_measures(source.param) for source in view.layers):
            what = f"the test net has neither a loss nor an Accuracy in {view.state}: tests measure nothing"
            yield solver.note(what, "test_iter", number, hint='add a layer { type: "Accuracy" ... } to it')


def _measures(param: LayerParameter) -> bool:
    """Whether a layer says how well the net does; what a Python layer makes is not known."""
    cls = facts(param)
    return cls.is_score or cls.is_loss or is_loss(param) or param.type == "Python"


@SOLVER_RULES.add("B260")
def partial_test(solver: SolverView) -> Iterator[Note]:
    """test_iter batches that are not the test data once through: some of it is left out, or counted twice."""
    for number, view in solver.tests.items():
        if number >= len(solver.param.test_iter) or view.graph is None:
            continue
        passes = solver.param.test_iter[number]
        for node in view.graph.nodes:
            batch = getattr(node.layer, "batch_size", 0)
            records = _records(node.layer)
            if not records or not batch or passes <= 0:
                continue
            seen, name = passes * batch, node.layer.name
            if seen < records:
                what = f'test_iter {passes} x batch_size {batch} = {seen} of the {records} records of layer "{name}"'
            elif seen - records >= batch:
                what = f'test_iter {passes} x batch_size {batch} = {seen}, but layer "{name}" has {records} records'
            else:
                continue
            yield solver.note(what, "test_iter", number, hint=f"test_iter: {-(-records // batch)} is once through")


def _records(layer: Layer) -> int | None:
    """How many records a data layer has, where its source can tell."""
    try:
        return layer.epoch() if isinstance(layer, DataLayer) else None
    except BrewError:  # said where the data is checked (brew data check)
        return None


@SOLVER_RULES.add("B261")
def absent_layers(solver: SolverView) -> Iterator[Note]:
    """A layer whose include or exclude rules fit none of the solver's nets."""
    for source in solver.idle:
        param = source.param
        yield Note(
            f'layer "{param.name}" ({param.type}): its rules keep it out of every net of the solver',
            source.place("include" if param.include else "exclude", 0),
            "check phase, stage and level of its rules against the solver's train_state and test_state",
        )


@SOLVER_RULES.add("B262")
def large_outputs(solver: SolverView) -> Iterator[Note]:
    """An output with more elements than the log tells: a blob that no layer reads counts as one."""
    param = solver.param
    nets = [(solver.train, param.display)] if solver.train is not None else []
    for view, told in [*nets, *((view, 1) for view in solver.tests.values())]:
        for number, source in enumerate(view.layers) if told and view.whole else ():
            for t, name in enumerate(source.param.top):
                size = count(view.outputs.get(name, ()))
                if size > MOST_SHOWN and not view.readers[number, t]:
                    what = f'nobody reads its top "{name}" of {size} elements: the log tells {MOST_SHOWN} of them'
                    yield view.note(number, what, "top", t, hint='layer { type: "Silence" } takes what is not wanted')


def _net_field(param: SolverParameter) -> tuple[str, ...]:
    return next(((f,) for f in ("net", "net_param", "train_net", "train_net_param") if param.HasField(f)), ())
