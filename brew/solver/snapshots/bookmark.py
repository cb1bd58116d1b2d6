"""The state of a training when the present test or passes began, so that they can begin again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from brew.proto.brew_pb2 import ResumeState
from brew.solver.training.training import Training

from . import resume


class Bookmark:
    """The state of `training` when the present test began; snapshots store it while `state` is set.

    A resumed run begins with all tests of the iteration, however many had been done, so the test nets' data and the
    best score have to be as they were before the first.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.state: ResumeState | None = None

    def set(self) -> None:
        """Note the state before the tests of an iteration. Interrupted tests begin again from the state noted first."""
        if self.state is None:
            self.state = resume.state_of(self.training)
        else:
            self.go_back()

    def go_back(self) -> None:
        """Put back the state that tests and passes have changed since `set`."""
        assert self.state is not None
        resume.rewind(self.training, self.state)

    def clear(self) -> None:
        """Forget the state: the tests are complete, and training goes on from their end."""
        self.state = None

    @contextmanager
    def within(self) -> Iterator[None]:
        """A context for a test outside of iterations: the state is set while it runs."""
        if self.state is not None:
            yield
            return
        self.set()
        try:
            yield
        finally:
            self.clear()
