"""pycaffe's solvers, on a training of Brew's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, overload

from brew import prototxt
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt.upgrade import upgrade_solver_type
from brew.solver.solver import Solver as CoreSolver

from .nccl import NCCL
from .net import Net, around
from .vectors import NetVec

log = logging.getLogger("brew")


class Solver:
    """A training by a solver file, of the type that the file names, on the device that `set_mode_...` said last."""

    type: ClassVar[str] = ""  # for a class of its own: whatever the file names

    def __init__(self, solver_file: str | Path) -> None:
        """Raises what brew.Solver raises, all of it RuntimeErrors."""
        document = prototxt.read(solver_file, SolverParameter)
        upgrade_solver_type(document.message, document.place("solver_type"))
        if self.type and document.message.type.lower() != self.type.lower():
            if document.message.HasField("type"):
                named = f'{document.place("type")}: type is "{document.message.type}"'
                log.warning("%s, but the script makes a %s: that counts", named, type(self).__name__)
            document.message.type = self.type
        if not document.message.HasField("max_iter") and not document.message.HasField("max_epochs"):
            document.message.max_iter = 0  # a script that counts its own steps has no use for one
        self._solver = CoreSolver(document)

    @cached_property
    def net(self) -> Net:
        """The net that is trained."""
        return around(self._solver.net)

    @cached_property
    def test_nets(self) -> NetVec:
        return NetVec(around(net) for net in self._solver.test_nets).fixed()

    @property
    def iter(self) -> int:
        """Updates done."""
        return self._solver.iter

    @property
    def param(self) -> SolverParameter:
        """The settings; base_lr, max_iter, display and the like may be changed between steps."""
        return self._solver.param

    @property
    def lr(self) -> float:
        """The learning rate of the coming iteration; under "plateau" of the last one."""
        schedule = self._solver.schedule
        schedule.read_again()
        return schedule.last_rate if schedule.reads_loss else schedule.rate_ahead(self.iter)

    def step(self, iterations: int) -> None:
        """Do `iterations` updates, with the displays, tests and snapshots that fall due."""
        self._solver.step(int(iterations))

    def solve(self, resume_file: str | Path | None = None) -> None:
        """Train up to max_iter, from a .solverstate where one is given."""
        self._solver.solve(resume_file)

    def restore(self, solver_state: str | Path) -> None:
        """Go on from a .solverstate."""
        self._solver.restore(solver_state)

    def snapshot(self) -> None:
        """Write weights and state now."""
        self._solver.snapshot()

    def apply_update(self) -> None:
        """Update the weights by the gradients as they are now."""
        self._solver.apply_update()

    def share_weights(self, net: Net) -> None:
        """Let `net` use the weights of this training."""
        net.share_with(self.net)

    @overload
    def add_callback(self, on_start: NCCL, /) -> None: ...
    @overload
    def add_callback(self, on_start: Callable[[], object], on_gradients_ready: Callable[[], object], /) -> None: ...
    def add_callback(self, on_start: Any, on_gradients_ready: Any = None, /) -> None:
        """Call the first before each iteration, the second when its gradients are ready; or give an NCCL."""
        if isinstance(on_start, NCCL):
            on_start, on_gradients_ready = on_start.on_start, on_start.on_gradients_ready
        self._solver.add_callback(on_start, on_gradients_ready)


class SGDSolver(Solver):
    """A training by SGD, as the others by theirs: a type that the file names does not count, and a warning says so."""

    type = "SGD"


class NesterovSolver(SGDSolver):
    type = "Nesterov"


class AdaGradSolver(SGDSolver):
    type = "AdaGrad"


class RMSPropSolver(SGDSolver):
    type = "RMSProp"


class AdaDeltaSolver(SGDSolver):
    type = "AdaDelta"


class AdamSolver(SGDSolver):
    type = "Adam"


_CLASSES = (SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver)


def get_solver(solver_file: str | Path) -> Solver:
    """The solver of the type that the file names."""
    message = prototxt.read(solver_file, SolverParameter).message
    upgrade_solver_type(message)
    found = {cls.type.lower(): cls for cls in _CLASSES}.get(message.type.lower(), Solver)
    return found(solver_file)
