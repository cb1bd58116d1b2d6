"""The origin of an old net: its name in messages, and the place in its text of every field that moves."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from google.protobuf.message import Message

from brew.errors import NetError, Place
from brew.proto.brew_pb2 import V1LayerParameter

from .document import Document

FieldPath: TypeAlias = "tuple[str | int, ...]"
log = logging.getLogger("brew")


@dataclass(slots=True)
class Origin:
    """A net as it was given; `complete` becomes false when a field is lost."""

    name: str
    document: Document[Any] | None
    prefix: Sequence[str | int]
    complete: bool = True

    def place(self, *path: str | int) -> Place | None:
        """The place of a field of the net, by its path in the text as it is."""
        return self.document.place(*self.prefix, *path) if self.document else None

    def error(self, message: str, path: FieldPath, hint: str | None = None) -> NetError:
        return NetError(message, place=self.place(*path), hint=hint)

    def leave_out(self, message: str, path: FieldPath) -> None:
        """Warn of a field that has no place in the new net."""
        self.complete = False
        log.warning("%s: %s: left out", self.place(*path) or self.name, message)


@dataclass(slots=True)
class Trace:
    """The places of a layer's fields in the text of a net: below `base`, but for those in `moved`."""

    base: FieldPath
    moved: dict[FieldPath, FieldPath] = field(default_factory=dict)

    def written(self, *path: str | int) -> FieldPath:
        """The path within the net, as it was written, of the layer's present field `path`.

        >>> trace = Trace(("layers", 7))
        >>> trace.move(("blobs_lr", 1), ("param", 1, "lr_mult"))
        >>> trace.written("param", 1, "lr_mult"), trace.written("top", 0)
        (('layers', 7, 'blobs_lr', 1), ('layers', 7, 'top', 0))
        """
        for length in range(len(path), 0, -1):
            if path[:length] in self.moved:
                return self.moved[path[:length]] + path[length:]
        return self.base + path

    def move(self, old: FieldPath, new: FieldPath) -> None:
        """Note that the field at `old` now stands at `new`."""
        self.moved[new] = self.written(*old)


@dataclass(slots=True)
class OldLayer:
    """An entry of `layers`: a message of ours to change, and its trace."""

    param: V1LayerParameter
    trace: Trace


def assign(message: Message, name: str, value: Any) -> None:
    """Set a field of any kind. To a repeated one `value` is added: one, or a list of them."""
    held = getattr(message, name)
    if isinstance(held, Message):
        held.SetInParent()
        held.MergeFrom(value)
    elif hasattr(held, "extend"):
        held.extend(value if hasattr(value, "extend") else [value])
    else:
        setattr(message, name, value)
