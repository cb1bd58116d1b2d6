"""Prototxt: text into messages with the place of every field, messages into text, and single settings.

The language is protobuf's text format as Caffe reads it. Brew parses it itself, so that every field keeps
its place for later errors and every error has a remedy. Fields of Caffe's forks are skipped and recorded. The schema is
not recursive, and other unknown fields are refused before their value is read, so no text can exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from google.protobuf import text_format
from google.protobuf.message import Message

from brew.errors import InputError, Place, PrototxtError, did_you_mean
from brew.files import regular
from brew.files.signatures import is_binary, noun_of
from brew.plain_text import octal

from .forks import ForeignField
from .hints import unknown_field_hint
from .parser import Node, Parser
from .schema import Field, fields_of
from .tokens import SourceText

M = TypeVar("M", bound=Message)

LARGEST_FILE = 64 << 20  # bytes; the longest nets in use have about 3 MB

_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")


class Document(Generic[M]):
    """A message read from text, which knows the place of each of its fields.

    `foreign` are the fields of Caffe's forks that the schema lacks; graph.foreign judges them. `said` are the warnings
    already logged about the text, so that each is logged once for all nets made of it.
    """

    def __init__(self, message: M, source: SourceText, root: Node, foreign: Sequence[ForeignField] = ()) -> None:
        self.message = message
        self.foreign = foreign
        self.said: set[str] = set()
        self._source = source
        self._root = root

    @property
    def file(self) -> str:
        """The file's path as it was given, or "<string>"."""
        return self._source.file

    def place(self, *path: str | int) -> Place:
        """The place of a field given by names and indices, as in place("layer", 3, "param", 0, "lr_mult").

        A singular field needs no index, and of a repeated one the first is meant without it. Where the text
        has no such field, the place of the nearest message around it, at last the file.
        """
        found: Node | int = self._root
        for position, name in enumerate(path):
            if isinstance(name, int):
                continue
            following = path[position + 1] if position + 1 < len(path) else 0
            index = following if isinstance(following, int) else 0
            entries = found.fields.get(name, []) if isinstance(found, Node) else []
            if not 0 <= index < len(entries):
                break
            found = entries[index]
        if found is self._root:
            return Place(self.file)
        return self._source.place(found.offset if isinstance(found, Node) else found)


def read(path: str | Path, message_type: type[M], problems: list[PrototxtError] | None = None) -> Document[M]:
    """The message of `message_type` in the file `path`; InputError or PrototxtError.

    With a list `problems`, fields that are unknown or have a wrong value go there and are left out of the message;
    only errors that make the rest unreadable are raised.
    """
    source = SourceText.decode(_contents(str(path)), str(path))
    try:
        document = _parsed(source, message_type, problems)
    except PrototxtError as error:
        raise _other_text(path) or error from None
    if problems and (other := _other_text(path)):
        problems.clear()
        raise other
    return document


def parse(text: str, message_type: type[M], file: str = "<string>") -> Document[M]:
    """The message of `message_type` in `text`; PrototxtError, placed in `file`."""
    return _parsed(SourceText(text.removeprefix("\ufeff"), file), message_type)


def to_text(message: Message) -> str:
    """`message` as prototxt that Caffe reads: fields by number, floats as short as they round-trip.

    Characters that move a terminal's cursor, or hide or reorder letters, are written as escapes.
    """
    return octal(text_format.MessageToString(message, as_utf8=True))


def override_all(message: Message, settings: Sequence[str]) -> None:
    """`override` by each of `settings` in turn; several of one repeated field add up."""
    paths: set[str] = set()
    for setting in settings:
        path = setting.partition("=")[0].strip()
        override(message, setting, add=path in paths)
        paths.add(path)


def override(message: Message, setting: str, *, add: bool = False) -> None:
    """Set one field of `message` from "path=value", such as "base_lr=0.01" or "net_param.name=lenet".

    The path goes through singular messages by dots. A repeated field is replaced, or with `add` lengthened, by one
    value, by several with commas, or by a list in brackets. Strings need no quotes. Errors are placed at
    "--set path=value".
    """
    place = Place(f"--set {setting}")
    path, equals, value = setting.partition("=")
    *outer, name = path.strip().split(".")
    if not equals or not name:
        raise PrototxtError("a setting is written field=value", place=place, hint="as in base_lr=0.01")
    try:
        for step in outer:
            inner = _known(message, step)
            if inner.message is None or inner.repeated:
                raise PrototxtError(f"{inner} is not a single message: a path cannot go through it")
            message = getattr(message, step)
        last = _known(message, name)
        fresh = type(message)()
        root = Node(0)
        parser = Parser(SourceText(_as_text(last, value.strip()), str(place)))
        parser.fill(fresh, root)
        for field in parser.foreign:
            raise PrototxtError(f"{field} is not available here", hint=f"it comes from {field.fact.owners}")
        if len(root.fields) > 1:
            raise PrototxtError("a setting gives one field its value")
    except PrototxtError as error:
        error.place = place
        raise
    message.SetInParent()
    if not (add and last.repeated):
        message.ClearField(name)
    message.MergeFrom(fresh)


def _known(message: Message, name: str) -> Field:
    known = fields_of(message.DESCRIPTOR)
    if name not in known:
        hint = unknown_field_hint(name, [message])
        raise PrototxtError(f'{message.DESCRIPTOR.name} has no field "{name}"', hint=hint)
    return known[name]


def _as_text(field: Field, value: str) -> str:
    """`value` from a command line as the text of `field`."""
    if field.message is None and field.enum is None and field.wanted == "a string in quotes":
        if not value.startswith(('"', "'", "[")):
            value = '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    elif field.repeated and not value.startswith(("[", "{", "<")):
        value = f"[{value}]"
    return f"{field.name}: {value}"


def _other_text(path: str | Path) -> PrototxtError | None:
    """The error for a text that is no prototxt, for which an error about its first word would not help."""
    from brew.files.weights.recognising import NOT_PROTOTXT, recognise  # as in _contents

    known = recognise(path)
    if known is None or known.noun not in NOT_PROTOTXT:
        return None
    return PrototxtError(f"this is {known.noun}, not prototxt", place=Place(str(path)), hint=known.use)


def _contents(path: str) -> bytes:
    if not path:
        raise InputError("a prototxt file is needed, and its name is empty")
    file, place = Path(path), Place(path)
    try:
        if file.is_dir():
            from brew.files.weights.recognising import recognise  # it reads every format: for errors alone

            known = recognise(path)
            what = known.noun if known else "a folder"
            raise InputError(
                f"this is {what}; a prototxt file is needed", place=place, hint=known.use if known else None
            )
        size = file.stat().st_size
        if size > LARGEST_FILE:
            limit = f"prototxt may have up to {LARGEST_FILE >> 20} MiB"
            raise PrototxtError(f"the file has {size} bytes: {limit}", place=place)
        raw = regular.read_bytes(file, LARGEST_FILE)
    except FileNotFoundError:
        siblings = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
        raise InputError("no such file", place=place, hint=did_you_mean(file.name, siblings)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"the file cannot be read: {reason}", place=place) from None
    noun = noun_of(raw[:512])
    if noun not in (None, "a text file") or is_binary(raw):
        from brew.files.weights.recognising import recognise

        known = recognise(path)
        what = known.noun if known else noun or f"a binary file of {size} bytes"
        raise PrototxtError(f"this is {what}, not prototxt", place=place, hint=known.use if known else None)
    return raw


def _parsed(source: SourceText, message_type: type[M], problems: list[PrototxtError] | None = None) -> Document[M]:
    message, root = message_type(), Node(0)
    parser = Parser(source, problems)
    parser.fill(message, root)
    document = Document(message, source, root, parser.foreign)
    missing: list[str] = cast(Any, message).FindInitializationErrors()
    if missing:
        *outer, name = missing[0].split(".")
        path: list[str | int] = []
        for step in outer:
            match = _STEP.fullmatch(step)
            path += [match[1], int(match[2] or 0)] if match else []
        raise PrototxtError(f'"{".".join(outer)}" needs a value for "{name}"', place=document.place(*path))
    return document
