"""A prototxt of either kind, net or solver, and the net it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

from brew import prototxt
from brew.errors import InputError, PrototxtError
from brew.layer import TRAIN
from brew.net_source import NetDefinition, define
from brew.proto.brew_pb2 import NetParameter, NetState, SolverParameter
from brew.prototxt import Document
from brew.solver_config import NetChoice, SolverConfig
from brew.update import rule_class

NetOrSolver: TypeAlias = "Document[NetParameter] | Document[SolverParameter]"


@dataclass(frozen=True, slots=True)
class NetFile:
    """A net, the states that overlay its own, and what its solver says of memory.

    history_slots  arrays it keeps for each parameter (1 without a solver)
    recompute      whether its net keeps less for backward, and makes it again there
    """

    definition: NetDefinition
    states: tuple[NetState, ...] = ()
    history_slots: int = 1
    recompute: bool = False


def read_prototxt(path: str | Path) -> NetOrSolver:
    """The net or solver in a file; where it is neither, the error of the reading that came further."""
    failures: list[PrototxtError] = []
    for kind in (NetParameter, SolverParameter):
        try:
            return cast(NetOrSolver, prototxt.read(path, kind))
        except PrototxtError as error:
            failures.append(error)
    raise max(failures, key=_reached)


def holds_net(path: str | Path) -> bool:
    """Whether a file is the prototxt of a net that can be read."""
    return _holds(path, NetParameter)


def holds_solver(path: str | Path) -> bool:
    """The same of a solver."""
    return _holds(path, SolverParameter)


def _holds(path: str | Path, kind: type[NetParameter] | type[SolverParameter]) -> bool:
    try:
        return isinstance(read_prototxt(path).message, kind)
    except InputError:
        return False


def _reached(error: PrototxtError) -> tuple[int, int]:
    return (error.place.line, error.place.column) if error.place else (0, 0)


def read_net(path: str | Path, phase: int = TRAIN) -> NetFile:
    """The net in a net's file; of a solver, its train net, or for TEST its first test net, else the train net."""
    document = read_prototxt(path)
    if isinstance(document.message, NetParameter):
        return NetFile(define(document))
    config = SolverConfig(document)
    tests: Sequence[NetChoice] = config.test_nets() if phase != TRAIN else ()
    choice = tests[0] if tests else config.train_net()
    kind = rule_class(config.param.type)
    slots = kind(config.param).slots if kind else 1
    return NetFile(choice.definition, choice.states, slots, config.param.recompute)
