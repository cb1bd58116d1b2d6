"""Where two messages of one type mean something else, field by field."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from ._prototxt_schema import Field, fields_of

Path: TypeAlias = tuple[str | int, ...]


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

    A field that is not set equals one set to its declared default. A message that is not set equals an empty one at
    the top alone (`pooling_param { }`): deeper ones, such as fillers, mean something by being there.
    """
    for name, field in sorted(fields_of(old.DESCRIPTOR).items(), key=lambda item: _number(old, item[0])):
        if name in skip:
            continue
        here = (*path, name)
        if field.repeated:
            yield from _repeated(field, getattr(old, name), getattr(new, name), here)
        elif field.message is None:
            before, after = _scalar(field, old), _scalar(field, new)
            if before != after:
                yield Change(here, before, after)
        elif path and old.HasField(name) != new.HasField(name):
            yield Change(here, *(_line(getattr(m, name)) if m.HasField(name) else None for m in (old, new)))
        else:
            yield from changes(getattr(old, name), getattr(new, name), path=here)


def _number(message: Message, name: str) -> int:
    return message.DESCRIPTOR.fields_by_name[name].number


def _repeated(field: Field, old: Any, new: Any, path: Path) -> Iterator[Change]:
    if field.message is None:
        before, after = (", ".join(_text(field, value) for value in values) or None for values in (old, new))
        if before != after:
            yield Change(path, before, after)
        return
    for i in range(max(len(old), len(new))):
        if i >= len(old) or i >= len(new):
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
