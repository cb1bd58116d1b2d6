"""The metrics that a net as it is defined can have, before it is made: the net must keep what they read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from brew.graph.definition import NetDefinition
from brew.graph.states import filter_layers, merged_state
from brew.layer import TEST
from brew.proto.brew_pb2 import NetState
from brew.prototxt.placed import PlacedLayer

from .heads import heads
from .scoring import Scoring


def layers_of(
    definition: NetDefinition, states: Sequence[NetState] = (), level: int | None = None, stages: Iterable[str] = ()
) -> list[PlacedLayer]:
    """The layers of a net in its TEST phase, without Splits."""
    state = merged_state(TEST, definition.net.shell.state, *states, level=level, stages=stages)
    return filter_layers(definition.net.layers, state)


def scoring_of(layers: Sequence[PlacedLayer], asked: Sequence[str]) -> Scoring | None:
    """The metrics `asked` (names.parse) of the heads of these layers; None where there is no head."""
    found = heads(layers)
    return Scoring(found, asked) if found else None
