"""The state of a training when the present test or passes began, so that they can begin again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from brew.proto.brew_pb2 import ResumeState
from brew.solver.training.training import Training

from . import resume


class Bookmark:
    """The state of `training` when the present test, or the present iteration's passes, began, so that it can go back.

    Snapshots store it while it is set.

    A resumed run begins with all tests of the iteration, however many had been done, so the test nets' data and the
    best score have to be as they were before the first.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self._read: Callable[[], ResumeState] | None = None

    @property
    def is_set(self) -> bool:
        return self._read is not None

    @property
    def state(self) -> ResumeState | None:
        """The state, read back from the device; None while it is not set."""
        return None if self._read is None else self._read()

    def set(self) -> None:
        """Note the state before the tests or passes of an iteration; where one is noted already, go back to it."""
        if self.is_set:
            self.go_back()
        else:
            self._read = resume.noted(self.training)

    def go_back(self) -> None:
        """Put back the state that tests and passes have changed since `set`."""
        assert self._read is not None
        resume.rewind(self.training, self._read())

    def clear(self) -> None:
        """Forget the state: the tests are complete, and training goes on from their end."""
        self._read = None

    @contextmanager
    def within(self) -> Iterator[None]:
        """A context for a test outside of iterations: the state is set while it runs."""
        if self.is_set:
            yield
            return
        self.set()
        try:
            yield
        finally:
            self.clear()
