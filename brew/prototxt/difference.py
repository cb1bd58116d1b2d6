"""Where two messages of one type mean something else, field by field."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from brew.proto.brew_pb2 import FillerParameter, ParamSpec

from .schema import Field, fields_of

Path: TypeAlias = tuple[str | int, ...]

# The values of a convolution's repeated fields that are left out, for every axis; a kernel has no default.
_PER_AXIS: dict[str, int | None] = {"pad": 0, "stride": 1, "dilation": 1, "kernel_size": None}
_FILLED = {("ScaleParameter", "filler"): 1.0, ("PReLUParameter", "filler"): 0.25}  # others are filled with 0


@dataclass(frozen=True, slots=True)
class Change:
    """A field at `path` with its values as prototxt has them; None where it is not set and has no default."""

    path: Path
    old: str | None
    new: str | None

    @property
    def name(self) -> str:
        """The path as text: `param[0].lr_mult`."""
        text = ""
        for step in self.path:
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
        return text


def changes(old: Message, new: Message, skip: Collection[str] = (), path: Path = ()) -> Iterator[Change]:
    """The fields that differ, in the schema's order, without those named in `skip`.

    A field that is not set equals one set to its default: the declared one, or what layers take in its place
    (`stride: 1`, `param { lr_mult: 1 }`, a constant filler). A message that is not set equals an empty one only at the
    top (`pooling_param { }`); deeper ones have a meaning even when empty.
    """
    for name, field in sorted(fields_of(old.DESCRIPTOR).items(), key=lambda item: _number(old, item[0])):
        if name in skip:
            continue
        here = (*path, name)
        if field.repeated:
            yield from _repeated(field, old, new, here)
        elif field.message is None:
            before, after = _scalar(field, old), _scalar(field, new)
            if before != after:
                yield Change(here, before, after)
        elif path and old.HasField(name) != new.HasField(name):
            implied = _filler(field, old)
            if implied is not None and not any(changes(_or(old, name, implied), _or(new, name, implied))):
                continue
            yield Change(here, *(_line(getattr(m, name)) if m.HasField(name) else None for m in (old, new)))
        else:
            yield from changes(getattr(old, name), getattr(new, name), path=here)


def _number(message: Message, name: str) -> int:
    return message.DESCRIPTOR.fields_by_name[name].number


def _filler(field: Field, inside: Message) -> FillerParameter | None:
    """The filler that a layer takes where none is given."""
    if field.message is None or field.message.name != "FillerParameter":
        return None
    return FillerParameter(value=_FILLED.get((inside.DESCRIPTOR.name, field.name), 0.0))


def _or(message: Message, name: str, implied: Message) -> Message:
    given: Message = getattr(message, name)
    return given if message.HasField(name) else implied


def _of_axes(values: Sequence[int], implied: int | None) -> list[int]:
    """One number for each axis; equal ones become a single one, the default none."""
    if len(set(values)) == 1:
        return [] if values[0] == implied else [values[0]]
    return list(values)


def _repeated(field: Field, old_message: Message, new_message: Message, path: Path) -> Iterator[Change]:
    old, new = (getattr(message, field.name) for message in (old_message, new_message))
    if field.message is None:
        if old_message.DESCRIPTOR.name == "ConvolutionParameter" and field.name in _PER_AXIS:
            old, new = (_of_axes(values, _PER_AXIS[field.name]) for values in (old, new))
        before, after = (", ".join(_text(field, value) for value in values) or None for values in (old, new))
        if before != after:
            yield Change(path, before, after)
        return
    for i in range(max(len(old), len(new))):
        if i >= len(old) or i >= len(new):
            given = new[i] if i >= len(old) else old[i]
            if isinstance(given, ParamSpec) and not any(changes(ParamSpec(), given, path=path)):
                continue
            yield Change((*path, i), *(_line(values[i]) if i < len(values) else None for values in (old, new)))
        else:
            yield from changes(old[i], new[i], path=(*path, i))


def _scalar(field: Field, message: Message) -> str | None:
    known = message.DESCRIPTOR.fields_by_name[field.name]
    if not message.HasField(field.name) and not known.has_default_value:
        return None
    return _text(field, getattr(message, field.name))


def _text(field: Field, value: Any) -> str:
    if field.enum is not None:
        return str(field.enum.values_by_number[value].name)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bytes):
        return f"{len(value)} bytes, {value[:12].hex()}"
    return str(np.float32(value)).removesuffix(".0") if field.type == FieldDescriptor.TYPE_FLOAT else str(value)


def _line(message: Message) -> str:
    return "{ " + text_format.MessageToString(message, as_one_line=True, as_utf8=True) + " }"
