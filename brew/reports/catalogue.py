"""The catalogue of layers, made from the docstrings of the layers and the comments of the schema.

`brew layers` prints it and docs/layers.md is made from it, so that no second copy can go stale.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto

from brew.errors import UsageError
from brew.graph.foreign import unknown_layer_hint
from brew.layer import sections
from brew.layer.registry import layer_class, layer_type_list
from brew.proto import brew_pb2

_FIELD = re.compile(
    r"^\s*(?:optional|repeated|required)\s+(?P<type>\w+)\s+(?P<name>\w+)\s*=\s*\d+\s*(?P<options>\[[^]]*])?\s*;"
    r"\s*(?://\s*(?P<comment>.*))?$"
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a layer's message: its type in prototxt, its default, and what it means."""

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A layer type: one line, the docstring, the messages it reads with their fields, and an example layer."""

    type: str
    line: str
    text: str
    messages: dict[str, list[Field]]
    example: str


def one_liners() -> dict[str, str]:
    """Every type with the one line its file begins with."""
    return {name: _line(name) for name in layer_type_list()}


def entry(type_name: str) -> Entry:
    """All about a type; UsageError with the nearest name when there is none."""
    cls = layer_class(type_name)
    if cls is None:
        raise UsageError(f'no layer type "{type_name}"', hint=unknown_layer_hint(type_name))
    text, example = _split_example(inspect.getdoc(cls) or "")
    messages = {name: _fields(sections.messages()[name]) for name in sections.read_by(type_name)}
    return Entry(cls.type, _line(cls.type), text, messages, _layer_text(cls.type, example))


def markdown() -> str:
    """docs/layers.md."""
    parts = ["# Layers", "", "Made by `brew layers --markdown`; every type on one page.", ""]
    parts += [f"- [{name}](#{name.lower()}): {line}" for name, line in one_liners().items()]
    for name in layer_type_list():
        item = entry(name)
        parts += ["", f"## {name}", "", item.line, "", "```", item.text, "```"]
        for message, fields in item.messages.items():
            parts += ["", f"`{message}`", "", "| field | type | default | |", "|---|---|---|---|"]
            parts += [_row(f.name, f.type, f.default, f.meaning) for f in fields]
        parts += ["", "```", item.example, "```"]
    return "\n".join(parts) + "\n"


def _row(*cells: str) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _line(type_name: str) -> str:
    """The first line of the type's module, without the type's name."""
    cls = layer_class(type_name)
    module = sys.modules[cls.__module__] if cls else None
    first = (inspect.getdoc(module) or "").split("\n", 1)[0]
    line = first.removeprefix(f"{type_name}: ")
    return line if re.match(r"\w+ =", line) else line[:1].upper() + line[1:]


def _split_example(text: str) -> tuple[str, str]:
    """A docstring without its `Example` section, and that section's one line."""
    match = re.search(r"^Example +(.+)$\n?", text, re.M)
    if match is None:
        return text, ""
    return (text[: match.start()] + text[match.end() :]).strip(), match.group(1).strip()


def _layer_text(type_name: str, example: str) -> str:
    """The example as prototxt: the fields of the docstring's line, one in a row, in a layer of this type."""
    parts = re.findall(r'\w+: "[^"]*"|\w+ \{.*?\}(?= \w+_param \{|$)|\w+: \S+', example)
    lines = [f'name: "{type_name.lower()}"', f'type: "{type_name}"', *parts]
    return "\n".join(["layer {", *(f"  {line}" for line in lines), "}"])


def _fields(message: str) -> list[Field]:
    """The fields of a message of the schema. Read off its own description: upb's descriptors differ by release."""
    described = DescriptorProto()
    descriptor = getattr(brew_pb2, message).DESCRIPTOR
    descriptor.CopyToProto(described)
    comments = _comments()
    return [
        Field(f.name, _kind(f, descriptor), _default(f), comments.get((message, f.name), "")) for f in described.field
    ]


def _kind(field: FieldDescriptorProto, descriptor: Descriptor) -> str:
    enum = descriptor.fields_by_name[field.name].enum_type
    if enum is not None:
        return " | ".join(value.name for value in enum.values)
    if field.type_name:
        return field.type_name.rpartition(".")[2]
    return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()


def _default(field: FieldDescriptorProto) -> str:
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return "any number"
    return field.default_value if field.HasField("default_value") else ""


@cache
def _comments() -> dict[tuple[str, str], str]:
    """The comments of brew.proto on fields, (message, field) -> comment."""
    return dict(_read_comments(resources.files("brew.proto").joinpath("brew.proto").read_text("utf-8")))


def _read_comments(text: str) -> Iterator[tuple[tuple[str, str], str]]:
    message, above = "", ""
    for line in text.splitlines():
        if started := re.match(r"message (\w+) {", line):
            message, above = started.group(1), ""
        elif comment := re.match(r"\s+//\s*(.*)", line):
            above = f"{above} {comment.group(1)}".strip()
        elif field := _FIELD.match(line):
            yield (message, field["name"]), (field["comment"] or above).strip()
            above = ""
        else:
            above = ""
