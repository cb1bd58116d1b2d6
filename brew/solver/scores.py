"""One test of a net: its outputs averaged over passes, with the lines Caffe logs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from brew.net.net import Net
from brew.net.outputs import Means, by_name, log_outputs
from brew.solver.scoring.names import among

if TYPE_CHECKING:
    from brew.solver.scoring.scoring import Scoring

log = logging.getLogger("brew")
_TEST = {"glog": "solver.cpp:404"}  # the source line of Caffe that logs the same


def run(
    net: Net, passes: int, *, iteration: int, number: int, with_loss: bool, interrupted: Callable[[], bool],
    scoring: Scoring | None = None,
) -> dict[str, float] | None:  # fmt: skip
    """Means of every output element by name, over `passes` passes of test net `number`; None when interrupted.

    Metrics of `scoring` follow, each by its name, or as "metric/accuracy" beside an output that is called so.
    """
    log.info("Iteration %d, Testing net (#%d)", iteration, number, extra=_TEST)
    means, loss = Means(), 0.0
    if scoring is not None:
        scoring.begin(net)
    for _ in range(passes):
        if interrupted():
            log.info("Test interrupted.", extra=_TEST)
            return None
        net.run_forward()
        means.add(net.output_values())
        if scoring is not None:
            scoring.add(net)
        loss += net.loss() if with_loss else 0.0
    if with_loss and passes:
        log.info("Test loss: %g", loss / passes, extra=_TEST)
    log_outputs("Test", means.outputs(), _TEST)
    outputs = by_name(means.outputs())
    return outputs if scoring is None else outputs | _metrics(scoring, outputs)


def _metrics(scoring: Scoring, outputs: Mapping[str, float]) -> dict[str, float]:
    """The metrics of a test, logged, by names that no output has."""
    found = {}
    for name, value in scoring.results().items():
        log.info("    Test net metric: %s = %g", name, value, extra=_TEST)
        found[among(outputs, name)] = value
    return found
