"""Which messages of a layer, such as `convolution_param`, its type reads.

Known from the schema (`ConvolutionParameter` is Convolution's) and from the layers' docstrings, which name the other
messages that they read: `loss_param`, `transform_param`, another type's message.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache

from google.protobuf.message import Message

from brew.proto.brew_pb2 import LayerParameter

from .registry import layer_class, layer_type_list

_OURS = "brew.layers."
_NAME = re.compile(r"\b(\w+_param)\b")


@cache
def messages() -> dict[str, str]:
    """Every message of a layer that belongs to some types only, by its field: {"pooling_param": "PoolingParameter"}."""
    fields = LayerParameter.DESCRIPTOR.fields_by_name.values()
    return {f.name: f.message_type.name for f in fields if f.message_type is not None and f.name.endswith("_param")}


@cache
def read_by(type_name: str) -> tuple[str, ...]:
    """The messages that layers of a type read, its own first; none for an unknown type."""
    cls = layer_class(type_name)
    if cls is None:
        return ()
    own = [name for name, message in messages().items() if message == f"{type_name}Parameter"]
    named = [name for name in _NAME.findall(inspect.getdoc(cls) or "") if name in messages()]
    return tuple(dict.fromkeys([*own, *named]))


def is_known(type_name: str) -> bool:
    """Whether `read_by` is complete: the type is one of Brew's own, and there are docstrings (python -OO has none)."""
    cls = layer_class(type_name)
    return cls is not None and cls.__module__.startswith(_OURS) and cls.__doc__ is not None


def readers(name: str) -> list[str]:
    """The types that read a message."""
    return [type_name for type_name in layer_type_list() if name in read_by(type_name)]


def unread(param: LayerParameter) -> Iterator[str]:
    """The messages that are set in a layer and that its type does not read."""
    if is_known(param.type):
        for field, value in param.ListFields():
            if field.name in messages() and field.name not in read_by(param.type) and value.ListFields():
                yield field.name


def given(param: LayerParameter) -> Iterator[tuple[str, Message]]:
    """The messages of a layer that its type reads, by their fields."""
    for name in read_by(param.type):
        if param.HasField(name):
            yield name, getattr(param, name)
