"""The field `test_metrics`: which metrics the test nets of a training have."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from brew.errors import SolverError, UsageError
from brew.net.net import Net
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document
from brew.solver.scoring import names

from .config import NetChoice

if TYPE_CHECKING:
    from brew.solver.scoring.scoring import Scoring

log = logging.getLogger("brew")


def metrics_that_may_be(param: SolverParameter) -> list[str]:
    """The metrics that a test net may have, before it is known what it compares; none where a name is wrong."""
    try:
        return [
            name for each in names.listed(param.test_metrics) for name in (names.METRICS if each == "all" else [each])
        ]
    except UsageError:
        return []


def scorings(document: Document[SolverParameter], tests: Sequence[NetChoice]) -> list[Scoring | None]:
    """The metrics of each test net, None where none are asked for.

    SolverError for a metric that is for none of what the nets compare, and where no test net compares scores with
    labels; a warning where one of several does not.
    """
    wanted = names.listed(document.message.test_metrics)
    if not wanted:
        return [None for _ in tests]
    from brew.solver.scoring.finding import layers_of, scoring_of

    try:
        found = [scoring_of(layers_of(test.definition, test.states), wanted) for test in tests]
    except UsageError as error:
        place = document.place("test_metrics")
        raise SolverError(f"solver: test_metrics: {error.message}", place=place, hint=error.hint) from None
    if not any(found):
        why = (
            "there is no test net" if not tests else "no loss and no Accuracy compares scores with labels in a test net"
        )
        raise SolverError(f"solver: test_metrics: {why}", place=document.place("test_metrics"))
    for number, scoring in enumerate(found):
        if scoring is None:
            log.warning("test net #%d has no metrics: no loss and no Accuracy compares scores with labels", number)
    return found


def begun(scorings: Sequence[Scoring | None], nets: Sequence[Net]) -> list[list[str]]:
    """The names of the metrics of each test net; SolverError where scores and labels of one do not fit together."""
    for scoring, net in zip(scorings, nets, strict=True):
        if scoring is not None:
            try:
                scoring.begin(net)
            except UsageError as error:
                raise SolverError(f"solver: test_metrics: {error.message}", hint=error.hint) from None
    return [list(scoring.results()) if scoring is not None else [] for scoring in scorings]
