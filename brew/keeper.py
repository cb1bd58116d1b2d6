"""What a training puts on disk: snapshots as they fall due, the best weights, and how many of them stay."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from brew import history, resume, retention, snapshot
from brew.errors import ResourceError
from brew.events import Snapshotted
from brew.proto.brew_pb2 import SolverParameter
from brew.snapshot import SnapshotPaths

if TYPE_CHECKING:
    from brew.solver import Solver

log = logging.getLogger("brew")


class Keeper:
    """Takes the snapshots of `solver`. `failed`: the last attempt did not succeed."""

    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self.failed = False

    def snapshot(self) -> SnapshotPaths:
        """Write weights and solver state, then delete what `keep` does not keep.

        ResourceError when writing fails, DivergedError where there is nothing worth it (Guard.check_state).
        """
        solver = self.solver
        self.check_state()
        solver.net.choices.settle()  # what is only known later could not be replayed
        # A signal may ask for one in the middle of a test, when the net holds averaged weights.
        with solver.average.trained() if solver.average is not None else nullcontext():
            files = snapshot.write(
                solver.net, solver.param, solver.iter, history.values(solver), solver.schedule.current_step,
                resume.state_of(solver), solver.average,
            )  # fmt: skip
        self.failed = False
        retention.prune(solver.param.snapshot_prefix, solver.param.keep, files.state)
        solver.tell(Snapshotted(solver.iter, files.weights, files.state))
        return files

    def snapshot_or_warn(self) -> None:
        """A snapshot on the way: a failure warns, and the next one tries again (DECISIONS 18)."""
        try:
            self.snapshot()
        except ResourceError as error:
            self.failed = True
            log.warning("snapshot at iteration %d failed, training goes on: %s", self.solver.iter, error)

    def check_state(self) -> None:
        """DivergedError where weights or history are not finite: they reach no file."""
        solver = self.solver
        solver.guard.check_state(solver.update.history, f"iteration {solver.iter}")

    def save_best(self) -> None:
        """The weights of the best test so far, as they were tested, in a file of their own; a failure warns."""
        self.check_state()
        param, best = self.solver.param, self.solver.best
        ending = ".h5" if param.snapshot_format == SolverParameter.HDF5 else ""
        path = Path(f"{param.snapshot_prefix}_best.caffemodel{ending}")
        try:
            self.solver.net.save(path)
        except ResourceError as error:
            log.warning("the best weights so far, of iteration %d, could not be written: %s", best.iteration, error)
        else:
            log.info("%s = %g is the best so far: %s", best.output, best.score, path)
