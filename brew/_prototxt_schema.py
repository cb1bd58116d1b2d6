"""What the text reader asks of the schema: a message's fields, and what an unknown name may have meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto
from google.protobuf.message import Message

from .errors import did_you_mean

_NAMED = 12  # values of an enum that a message lists
MISSING_BRACE = 'is a "}" missing before it?'
_FILE_KINDS = {"NetParameter": "net", "SolverParameter": "solver"}
_ELSEWHERE_CALLED = {  # what other frameworks call a field of the solver
    "lr": "base_lr",
    "learning_rate": "base_lr",
    "optimizer": "type",
    "epochs": "max_epochs",
    "iterations": "max_iter",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: `owner` is the message's name, `type` one of FieldDescriptor.TYPE_*.

    A fork's word for a field is kept `stored_as` the schema has it, each value as `values` says.
    """

    owner: str
    name: str
    type: int
    repeated: bool
    message: Descriptor | None
    enum: EnumDescriptor | None
    stored_as: str = ""
    values: Mapping[Any, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"

    @property
    def wanted(self) -> str:
        """What its value looks like, in words."""
        if self.message is not None:
            return f"a message: {self.name} {{ ... }}"
        if self.enum is not None:
            names = [value.name for value in self.enum.values]
            rest = len(names) - _NAMED
            return f"one of {', '.join(names[:_NAMED])}" + (f" and {rest} more" if rest > 0 else "")
        return _WANTED[self.type]


_WANTED = {
    FieldDescriptor.TYPE_STRING: "a string in quotes",
    FieldDescriptor.TYPE_BYTES: "a string in quotes",
    FieldDescriptor.TYPE_BOOL: "true or false",
    FieldDescriptor.TYPE_FLOAT: "a number",
    FieldDescriptor.TYPE_DOUBLE: "a number",
    FieldDescriptor.TYPE_INT32: "a whole number",
    FieldDescriptor.TYPE_INT64: "a whole number",
    FieldDescriptor.TYPE_UINT32: "a whole number, 0 or more",
    FieldDescriptor.TYPE_UINT64: "a whole number, 0 or more",
}


@cache
def fields_of(message: Descriptor) -> Mapping[str, Field]:
    """The fields of `message` by name.

    Labels come from the descriptor in message form: their attribute differs between protobuf releases.
    """
    proto = DescriptorProto()
    message.CopyToProto(proto)
    repeated = {f.name for f in proto.field if f.label == FieldDescriptorProto.LABEL_REPEATED}
    return {
        f.name: Field(message.name, f.name, f.type, f.name in repeated, f.message_type, f.enum_type)
        for f in message.fields
    }


def unknown_field_hint(name: str, open_messages: Sequence[Message]) -> str | None:
    """What a field `name`, unknown to the last of `open_messages` (root first), may have meant."""
    here = open_messages[-1]
    outer = next((m for m in reversed(open_messages[:-1]) if name in fields_of(m.DESCRIPTOR)), None)
    unclosed = outer and f"{name} is a field of {outer.DESCRIPTOR.name}: {MISSING_BRACE}"
    if outer and unclosed and fields_of(outer.DESCRIPTOR)[name].message:
        return unclosed
    kind = _FILE_KINDS.get(here.DESCRIPTOR.name) if len(open_messages) == 1 else None
    for other, other_kind in _FILE_KINDS.items():
        schema = here.DESCRIPTOR.file.message_types_by_name
        if kind and kind != other_kind and name in fields_of(schema[other]):
            return f"this looks like a {other_kind} file; a {kind} file was expected"
    inside = _holders(name, here)
    if inside:
        return f"{name} stands inside {_listed(inside)}"
    elsewhere = _ELSEWHERE_CALLED.get(name.lower()) if here.DESCRIPTOR.name == "SolverParameter" else None
    return (
        unclosed
        or (elsewhere and f'did you mean "{elsewhere}"?')
        or did_you_mean(name, fields_of(here.DESCRIPTOR))
        or _elsewhere(name, open_messages[0].DESCRIPTOR)
        or _nearly_inside(name, here)
    )


def _holders(name: str, message: Message) -> list[str]:
    """The sub-messages of `message` that have a field `name`; those the message's type suggests, if any."""
    fields = fields_of(message.DESCRIPTOR).values()
    holders = [f.name for f in fields if f.message and name in fields_of(f.message)]
    layer_type = str(getattr(message, "type", "")).lower()
    stem = "convolution" if layer_type == "deconvolution" else layer_type
    fitting = [h for h in holders if stem and h.removesuffix("_param").replace("_", "") == stem]
    return fitting or holders


def _listed(holders: Sequence[str]) -> str:
    shown = [f"{holder} {{ }}" for holder in holders[:4]]
    if len(holders) > 4:
        shown.append("others")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _elsewhere(name: str, root: Any) -> str | None:
    owners = [message.name for message in _reachable(root) if name in fields_of(message)]
    return f"{name} is a field of {' and '.join(owners[:3])}" if owners else None


def _reachable(root: Any) -> Iterator[Descriptor]:
    seen, waiting = {root.full_name}, [root]
    while waiting:
        message = waiting.pop(0)
        yield message
        for inner in fields_of(message).values():
            if inner.message and inner.message.full_name not in seen:
                seen.add(inner.message.full_name)
                waiting.append(inner.message)


def _nearly_inside(name: str, message: Message) -> str | None:
    """The hint for a misspelt field that also lacks its sub-message."""
    children = [f.message for f in fields_of(message.DESCRIPTOR).values() if f.message]
    near = did_you_mean(name, {field for child in children for field in fields_of(child)})
    if near is None:
        return None
    holders = _holders(near.split('"')[1], message)
    return f"{near} It stands inside {_listed(holders)}"
