"""A prototxt that may be a net's or a solver's."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias, cast

from brew.errors import InputError, PrototxtError
from brew.proto.brew_pb2 import NetParameter, SolverParameter

from . import document
from .document import Document

NetOrSolver: TypeAlias = "Document[NetParameter] | Document[SolverParameter]"


def read_prototxt(path: str | Path) -> NetOrSolver:
    """The net or solver in a file; where it is neither, the error of the reading that got further."""
    failures: list[PrototxtError] = []
    for message_type in (NetParameter, SolverParameter):
        try:
            return cast(NetOrSolver, document.read(path, message_type))
        except PrototxtError as error:
            failures.append(error)
    raise max(failures, key=_reached)


def holds_net(path: str | Path) -> bool:
    """Whether a file is the prototxt of a net that can be read."""
    return _holds(path, NetParameter)


def holds_solver(path: str | Path) -> bool:
    """The same of a solver."""
    return _holds(path, SolverParameter)


def _holds(path: str | Path, message_type: type[NetParameter] | type[SolverParameter]) -> bool:
    try:
        return isinstance(read_prototxt(path).message, message_type)
    except InputError:
        return False


def _reached(error: PrototxtError) -> tuple[int, int]:
    return (error.place.line, error.place.column) if error.place else (0, 0)
