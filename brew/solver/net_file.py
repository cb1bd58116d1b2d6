"""A prototxt of either kind, net or solver, and the net it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from brew.graph.definition import NetDefinition, define
from brew.layer import TRAIN
from brew.proto.brew_pb2 import NetParameter, NetState
from brew.prototxt.net_or_solver import read_prototxt

from .training.config import NetChoice, SolverConfig
from .update.make import rule_class


@dataclass(frozen=True, slots=True)
class NetFile:
    """A net, the states that overlay its own, and its solver's settings for memory.

    history_slots  arrays it keeps for each parameter (1 without a solver)
    recompute      whether its net keeps less for backward, and makes it again there
    """

    definition: NetDefinition
    states: tuple[NetState, ...] = ()
    history_slots: int = 1
    recompute: bool = False


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
