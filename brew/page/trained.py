"""What a report is made of: a training that has ended, or a solver with weights."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np

from brew.data.labels import names_of_layers
from brew.errors import BrewError
from brew.net.net import Net
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document
from brew.reports.curves.series import Run
from brew.reports.filters import Filters
from brew.solver.scoring.finding import layers_of
from brew.solver.scoring.heads import heads
from brew.solver.scoring.scoring import Scoring
from brew.solver.training.config import NetChoice

from .evaluation import HeadResults, evaluate
from .inputs import Input, input_of

log = logging.getLogger("brew")


def _never() -> bool:
    return False


@dataclass
class Trained:
    """A training for a page.

    solver     its settings, with all changes
    tests      its test nets; `make_test(choice, keep)` makes one with the trained weights
    net        the train net, None where there are weights alone
    run        its curves
    status     how it ended, in words; `facts` are further (name, value)
    averaged   within it the nets have the weights to be tested
    stop       whether the user wants an end; `progress(what, done, all)` is told of every pass
    remarks    on the time that it took
    strict     a test net that cannot be tested is an error, not a remark
    """

    solver: Document[SolverParameter]
    tests: Sequence[NetChoice]
    make_test: Callable[[NetChoice, Sequence[str]], Net]
    net: Net | None
    run: Run
    status: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    averaged: Callable[[], AbstractContextManager[object]] = nullcontext
    stop: Callable[[], bool] = _never
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None
    strict: bool = False
    remarks: list[str] = field(default_factory=list)


@dataclass
class TestResults:
    """What one test net said: its heads, what it was given, names of classes; `remark` where it said nothing."""

    number: int
    heads: list[HeadResults] = field(default_factory=list)
    given: Input | None = None
    names: tuple[str, ...] = ()
    remark: str = ""
    filters: Filters | None = None  # of the first layer


def test_results(trained: Trained) -> list[TestResults]:
    """The results of every test net, in one test more. What goes wrong in one is told in its place, or raised."""
    found = []
    for number, choice in enumerate(trained.tests):
        try:
            with trained.averaged():
                found.append(_results(trained, number, choice))
        except BrewError as error:
            if trained.strict:
                raise
            log.warning("the report has no results of test net #%d: %s", number, error)
            found.append(TestResults(number, remark=f"could not be tested: {error}"))
    return found


def _results(trained: Trained, number: int, choice: NetChoice) -> TestResults:
    layers = layers_of(choice.definition, choice.states)
    compared = heads(layers)
    if not compared:
        return TestResults(number, remark="no loss and no Accuracy compares scores with labels")
    scoring = Scoring(compared, ["all"])
    given = input_of(layers, [head.labels for head in compared], choice.definition.folder)
    net = trained.make_test(choice, [*scoring.blobs, *([given.blob] if given is not None else [])])
    try:
        passes = _passes(trained, number, net)
        told = f"testing net #{number}"
        results = evaluate(
            net, scoring, given, passes, stop=trained.stop,
            progress=lambda done, total: trained.progress(told, done, total),
        )  # fmt: skip
    finally:
        net.close()
    named = names_of_layers(source.param for source in layers)
    return TestResults(
        number, results, given, named, filters=first_filters(net, rgb=given is not None and not given.is_bgr)
    )


def first_filters(net: Net, *, rgb: bool) -> Filters | None:
    """The filters of the first layer that has some of more than one pixel, in the colours of its input."""
    for layer in net.layers:
        blobs = net.params.get(layer.name, [])
        shape = blobs[0].shape if len(blobs) else ()
        if layer.weights_in and len(shape) == 4 and shape[2] * shape[3] > 1 and min(shape):
            return Filters(layer.name, np.array(blobs[0].data_memory.host(shape)).reshape(shape), rgb)
    return None


def _passes(trained: Trained, number: int, net: Net) -> int:
    """Once through the data, or as many as the solver tests with where the data has no end."""
    records = next((count for layer in net.data_layers if (count := layer.epoch()) is not None), None)
    if records and net.batch_size:
        return math.ceil(records / net.batch_size)
    param = trained.solver.message
    return param.test_iter[number] if number < len(param.test_iter) else 0
