"""One test of a net: its outputs averaged over passes, with the lines Caffe logs."""

from __future__ import annotations

import logging
from collections.abc import Callable

from brew.net.net import Net
from brew.net.outputs import Means, by_name, log_outputs

log = logging.getLogger("brew")
_TEST = {"glog": "solver.cpp:404"}  # the source line of Caffe that logs the same


def run(
    net: Net, passes: int, *, iteration: int, number: int, with_loss: bool, interrupted: Callable[[], bool]
) -> dict[str, float] | None:
    """Means of every output element by name, over `passes` passes of test net `number`; None when interrupted."""
    log.info("Iteration %d, Testing net (#%d)", iteration, number, extra=_TEST)
    means, loss = Means(), 0.0
    for _ in range(passes):
        if interrupted():
            log.info("Test interrupted.", extra=_TEST)
            return None
        net.run_forward()
        means.add(net.output_values())
        loss += net.loss() if with_loss else 0.0
    if with_loss and passes:
        log.info("Test loss: %g", loss / passes, extra=_TEST)
    log_outputs("Test", means.outputs(), _TEST)
    return by_name(means.outputs())
