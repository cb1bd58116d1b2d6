"""The files of a training: snapshots when they are due, the best weights, and how many of them stay."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path

from brew.errors import ResourceError
from brew.proto.brew_pb2 import ResumeState, SolverParameter
from brew.solver.training.events import Snapshotted
from brew.solver.training.training import Training

from . import history, resume, retention, snapshot
from .bookmark import Bookmark
from .snapshot import SnapshotPaths

log = logging.getLogger("brew")


class Saver:
    """Takes the snapshots of `training`, as of its `bookmark` where one is set.

    `failed`: the last attempt did not succeed.
    """

    def __init__(self, training: Training, bookmark: Bookmark) -> None:
        self.training = training
        self.bookmark = bookmark
        self.failed = False

    def snapshot(self) -> SnapshotPaths:
        """Write weights and solver state, then delete what `keep` does not keep.

        ResourceError when writing fails, DivergedError where the weights are not finite (Guard.check_state).
        """
        training = self.training
        training.check_state()
        training.net.choices.decide()  # a later decision could not be replayed
        # A signal may ask for one in the middle of a test, when the net holds averaged weights.
        with training.average.trained() if training.average is not None else nullcontext():
            files = snapshot.write(
                training.net, training.param, training.iter, history.values(training), training.schedule.current_step,
                self._state(), training.average,
            )  # fmt: skip
        self.failed = False
        retention.prune(training.param.snapshot_prefix, training.param.keep, files.state)
        training.tell(Snapshotted(training.iter, files.weights, files.state))
        return files

    def _state(self) -> ResumeState:
        """The state for a snapshot; in the middle of a test the one before it, with the decisions made since."""
        marked = self.bookmark.state
        if marked is None:
            return resume.state_of(self.training)
        before = ResumeState()
        before.CopyFrom(marked)
        del before.choice[:]
        before.choice.extend(resume.choices_of(self.training.net))
        return before

    def snapshot_or_warn(self) -> None:
        """A snapshot on the way: a failure warns, and the next one tries again (docs/decisions/0004)."""
        try:
            self.snapshot()
        except ResourceError as error:
            self.failed = True
            log.warning("snapshot at iteration %d failed, training goes on: %s", self.training.iter, error)

    def save_best(self) -> None:
        """The weights of the best test so far, as they were tested, in a file of their own; a failure warns."""
        self.training.check_state()
        param, best = self.training.param, self.training.best
        ending = ".h5" if param.snapshot_format == SolverParameter.HDF5 else ""
        path = Path(f"{param.snapshot_prefix}_best.caffemodel{ending}")
        try:
            self.training.net.save(path)
        except ResourceError as error:
            log.warning("the best weights so far, of iteration %d, could not be written: %s", best.iteration, error)
        else:
            log.info("%s = %g is the best so far: %s", best.output, best.score, path)
