"""A case as a net's message: in place, where names repeat, or plain, where every version of a blob has its own."""

from __future__ import annotations

from dataclasses import dataclass

from brew.proto.brew_pb2 import NetParameter

from .case import Case


@dataclass(frozen=True, slots=True)
class Spelling:
    """The message, and the name of every value's blob."""

    net: NetParameter
    names: dict[int, str]


def spell(case: Case, *, in_place: bool) -> Spelling:
    """The net of a case. Layers have the same names in both spellings: what they draw goes by these."""
    over = case.overwriting() if in_place else {}
    names: dict[int, str] = {}
    net = NetParameter(name=f"case {case.seed} {case.number}", force_backward=case.force)
    for op in case.ops:
        layer = net.layer.add()
        layer.CopyFrom(op.param)
        layer.name = op.name
        layer.bottom.extend(names[b] for b in op.bottoms)
        for place, top in enumerate(op.tops):
            names[top] = names[over[top]] if top in over else op.names[place] if op.names else f"v{top}"
        layer.top.extend(names[t] for t in op.tops)
    return Spelling(net, names)
