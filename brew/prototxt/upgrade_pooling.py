"""The rounding of poolings in binary nets, where a fork's field has it.

Synopsys' fork has ceil_mode at 14, which Caffe does not use. Other forks have it at 13, where Caffe has round_mode with
the opposite meaning of 0 and 1: a message does not tell the two apart, and is read as Caffe's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet

from brew.proto.brew_pb2 import LayerParameter, NetParameter

from .fork_words import ROUND
from .placed import PlacedLayer

_CEIL_MODE = 14


def with_round_mode(layers: Sequence[PlacedLayer], done: list[str]) -> list[PlacedLayer]:
    """The layers, with round_mode in the place of field 14 of their pooling_param. It is added to `done`, in words."""
    result = []
    for source in layers:
        param = source.param
        found = _ceil_mode(param) if param.HasField("pooling_param") else []
        if found:
            param = LayerParameter()
            param.CopyFrom(source.param)
            param.pooling_param.DiscardUnknownFields()
            if not param.pooling_param.HasField("round_mode"):
                param.pooling_param.round_mode = ROUND[bool(found[-1])]
            source = PlacedLayer(param, source.place)
        result.append(source)
    changed = sum(new is not old for new, old in zip(result, layers, strict=True))
    if changed:
        done.append(f"ceil_mode (field {_CEIL_MODE}) of {changed} Pooling layers is round_mode")
    return result


def is_doubtful(net: NetParameter) -> bool:
    """Whether a pooling of a binary net says how it rounds at the number that some forks have for the opposite."""
    layers: Iterable[Any] = [*net.layer, *net.layers]
    return any(layer.HasField("pooling_param") and layer.pooling_param.HasField("round_mode") for layer in layers)


def _ceil_mode(param: LayerParameter) -> list[int]:
    unknown = UnknownFieldSet(param.pooling_param)
    fields = [unknown[i] for i in range(len(unknown))]
    return [field.data for field in fields if field.field_number == _CEIL_MODE]
