"""Which layers of a NetParameter exist: include and exclude rules by phase, level and stage (Caffe's FilterNet)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from brew.errors import NetError, Place
from brew.proto.brew_pb2 import LayerParameter, NetParameter, NetState, NetStateRule
from brew.prototxt import Document


@dataclass(frozen=True, slots=True)
class Source:
    """A layer's message and where it stands: `place("pooling_param", "pad")` -> Place."""

    param: LayerParameter
    place: Callable[..., Place | None]


def nowhere(*path: str | int) -> None:
    """The place of a message that came from no file."""


def sources(net: NetParameter, document: Document[Any] | None, prefix: Sequence[str | int] = ()) -> list[Source]:
    """The layers of `net`, which is `document`'s message or the message at `prefix` within it."""
    if document is None:
        return [Source(layer, nowhere) for layer in net.layer]
    return [Source(layer, partial(document.place, *prefix, "layer", i)) for i, layer in enumerate(net.layer)]


def merged_state(phase: int, *states: NetState, level: int | None = None, stages: Iterable[str] = ()) -> NetState:
    """`phase` overlaid by each state in turn; stages add up, as protobuf merges."""
    result = NetState(phase=phase)  # type: ignore[arg-type]
    for state in states:
        result.MergeFrom(state)
    if level is not None:
        result.level = level
    result.stage.extend(stages)
    return result


def filter_layers(layers: Iterable[Source], state: NetState) -> list[Source]:
    """The layers that exist in `state`."""
    return [source for source in layers if exists(source, state)]


def exists(source: Source, state: NetState) -> bool:
    """Whether the layer is there in `state`; NetError where it has rules of both kinds."""
    param = source.param
    if param.include and param.exclude:
        raise NetError(
            f'layer "{param.name}" ({param.type}): has include and exclude rules; use one kind',
            place=source.place("exclude", 0),
        )
    if param.include:
        return any(_meets(rule, state) for rule in param.include)
    return not any(_meets(rule, state) for rule in param.exclude)


def _meets(rule: NetStateRule, state: NetState) -> bool:
    if rule.HasField("phase") and rule.phase != state.phase:
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    stages = set(state.stage)
    return stages.issuperset(rule.stage) and stages.isdisjoint(rule.not_stage)
