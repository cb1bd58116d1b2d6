"""pycaffe's ways of making a solver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from brew import prototxt
from brew.errors import SolverError
from brew.proto.brew_pb2 import SolverParameter
from brew.prototxt import Document
from brew.solver import Solver


def get_solver(solver: str | Path | Document[SolverParameter], **options: Any) -> Solver:
    """The solver a prototxt describes, of whatever type it names. Options are those of `Solver`."""
    return Solver(solver, **options)


class SGDSolver(Solver):
    """`SGDSolver("solver.prototxt")`: SGD, and a SolverError when the file names another type."""

    def __init__(self, solver: str | Path | Document[SolverParameter], **options: Any) -> None:
        document = prototxt.read(solver, SolverParameter) if isinstance(solver, str | Path) else solver
        super().__init__(document, **options)
        if self.param.type.lower() != "sgd":
            raise SolverError(f'type is "{self.param.type}", not "SGD"', place=document.place("type"))
