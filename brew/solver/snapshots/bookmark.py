"""Where a training stood when the test or the passes at hand began, so that they can be begun again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from brew.proto.brew_pb2 import ResumeState
from brew.solver.training.training import Training

from . import resume


class Bookmark:
    """Where `training` stood when the test at hand began: it is what a snapshot tells as long as `state` is set.

    A run that resumes begins with the iteration's tests, all of them, whether none, some or half of one had been done;
    so the test nets' data and the best score have to be as they were before the first.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.state: ResumeState | None = None

    def set(self) -> None:
        """The tests of an iteration begin. Where they were broken off before, they begin again at the same place."""
        if self.state is None:
            self.state = resume.state_of(self.training)
        else:
            self.go_back()

    def go_back(self) -> None:
        """Put back what tests and passes have moved since `set`."""
        assert self.state is not None
        resume.rewind(self.training, self.state)

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
