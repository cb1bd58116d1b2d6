"""The end of an iteration (clip, divide by iter_size, decay, update): one pass over the arenas, piece by piece.

solver.update.rule states the order and what a rule is, solver.update.host and solver.update.cuda carry it out.
"""

from __future__ import annotations

from brew.net.parameters import Parameters

from .cuda import CudaUpdate
from .host import HostUpdate
from .rule import UpdateRule, rule_class, rule_names

__all__ = ["CudaUpdate", "HostUpdate", "UpdateRule", "make_update", "rule_class", "rule_names"]


def make_update(parameters: Parameters, engine: str, rule: UpdateRule) -> HostUpdate | CudaUpdate:
    """The update of a net's `parameters` by `rule`, on their device; on the CPU by the net's `engine` where it can."""
    if parameters.device == "cpu":
        return HostUpdate(parameters, engine, rule)
    return CudaUpdate(parameters, rule)
