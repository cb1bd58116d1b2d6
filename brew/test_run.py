"""One test of a net: its outputs averaged over passes, with the lines Caffe logs; and where it began."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from brew import resume
from brew.net import Net
from brew.outputs import Means, by_name, log_outputs
from brew.proto.brew_pb2 import ResumeState

if TYPE_CHECKING:
    from brew.solver import Solver

log = logging.getLogger("brew")
_TEST = {"glog": "solver.cpp:404"}  # where Caffe's lines come from, for those who parse logs by it


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


class Bookmark:
    """Where `solver` stood when the test at hand began: it is what a snapshot tells as long as `state` is set.

    A run that resumes begins with the iteration's tests, all of them, whether none, some or half of one had been done;
    so the test nets' data and the best score have to be as they were before the first.
    """

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self.state: ResumeState | None = None

    def set(self) -> None:
        """The tests of an iteration begin. Where they were broken off before, they begin again at the same place."""
        if self.state is None:
            self.state = resume.state_of(self.solver)
        else:
            resume.rewind(self.solver, self.state)

    def clear(self) -> None:
        """The tests count: training goes on from where they end."""
        self.state = None

    @contextmanager
    def within(self) -> Iterator[None]:
        """Set while a single test runs that no iteration asked for."""
        if self.state is not None:
            yield
            return
        self.set()
        try:
            yield
        finally:
            self.clear()
