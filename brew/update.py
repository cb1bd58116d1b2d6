"""The end of an iteration: clip, normalise, decay, update; one pass over the arenas, cache-sized piece by piece.

brew.update_rule states the order and what a rule is, brew.host_update and brew.cuda_update carry it out.
"""

from __future__ import annotations

from brew.cuda_update import CudaUpdate
from brew.host_update import HostUpdate
from brew.parameters import Parameters
from brew.update_rule import UpdateRule, rule_class, rule_names

__all__ = ["CudaUpdate", "HostUpdate", "UpdateRule", "make_update", "rule_class", "rule_names"]


def make_update(parameters: Parameters, engine: str, rule: UpdateRule) -> HostUpdate | CudaUpdate:
    """The update of a net's `parameters` by `rule`, on their device; on the CPU by the net's `engine` where it can."""
    if parameters.device == "cpu":
        return HostUpdate(parameters, engine, rule)
    return CudaUpdate(parameters, rule)
