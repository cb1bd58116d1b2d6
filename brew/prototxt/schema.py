"""The fields of messages, as the text reader needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

_NAMED = 12  # values of an enum that a message lists


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: `owner` is the message's name, `type` one of FieldDescriptor.TYPE_*.

    A fork's name for a field is `stored_as` the schema's, with values translated by `values`.
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
        """The kind of value that it takes, in words."""
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
