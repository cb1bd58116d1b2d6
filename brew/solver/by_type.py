"""pycaffe's ways of making a solver."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from brew import prototxt
from brew.errors import SolverError
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document

from .solver import Solver


def get_solver(solver: str | Path | Document[SolverParameter], **options: Any) -> Solver:
    """The solver that a prototxt describes, of the type that it names. Options are those of `Solver`."""
    return Solver(solver, **options)


class _OfOneType(Solver):
    """A solver whose file must name its type (or none, where the type is Caffe's default, SGD)."""

    wanted: ClassVar[str]

    def __init__(self, solver: str | Path | Document[SolverParameter], **options: Any) -> None:
        document = prototxt.read(solver, SolverParameter) if isinstance(solver, str | Path) else solver
        super().__init__(document, **options)
        if self.param.type.lower() != self.wanted.lower():
            raise SolverError(f'type is "{self.param.type}", not "{self.wanted}"', place=document.place("type"))


class SGDSolver(_OfOneType):
    """`SGDSolver("solver.prototxt")`: a SolverError when the file names another type; the others likewise."""

    wanted = "SGD"


class NesterovSolver(_OfOneType):
    wanted = "Nesterov"


class AdaGradSolver(_OfOneType):
    wanted = "AdaGrad"


class RMSPropSolver(_OfOneType):
    wanted = "RMSProp"


class AdaDeltaSolver(_OfOneType):
    wanted = "AdaDelta"


class AdamSolver(_OfOneType):
    wanted = "Adam"
