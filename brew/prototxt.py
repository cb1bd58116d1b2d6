"""Prototxt: text into messages with the place of every field, messages into text, and single settings.

The language is protobuf's text format as Caffe reads it. Brew parses it itself, so that every field keeps
its place for later errors and every refusal says what would have been right. The schema is not recursive and
unknown fields are refused where they stand: no text, however deep, can exhaust the stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from google.protobuf import text_format
from google.protobuf.message import Message

from ._prototxt_schema import Field, fields_of, unknown_field_hint
from ._prototxt_tokens import Source, Tokens, unescaped
from ._prototxt_values import Scalar, scalar, string, wrong
from .errors import InputError, Place, PrototxtError, did_you_mean
from .file_kind import file_kind

M = TypeVar("M", bound=Message)

LARGEST_FILE = 64 << 20  # bytes; the longest nets in use have about 3 MB

_CLOSING = {"{": "}", "<": ">"}
_STEP = re.compile(r"(\w+)(?:\[(\d+)\])?")


@dataclass(slots=True)
class _Node:
    """Where a message stands in the text, and its fields: a node for a message, an offset for a scalar."""

    offset: int
    fields: dict[str, list[_Node | int]] = field(default_factory=dict)


class Document(Generic[M]):
    """A message read from text, which knows the place of each of its fields."""

    def __init__(self, message: M, source: Source, root: _Node) -> None:
        self.message = message
        self._source = source
        self._root = root

    @property
    def file(self) -> str:
        """The file's path as it was given, or "<string>"."""
        return self._source.file

    def place(self, *path: str | int) -> Place:
        """The place of a field given by names and indices, as in place("layer", 3, "param", 0, "lr_mult").

        A singular field needs no index, and of a repeated one the first is meant without it. Where the path
        leads to something that is not in the text: the nearest message around it, at last the file.
        """
        found: _Node | int = self._root
        for position, name in enumerate(path):
            if isinstance(name, int):
                continue
            following = path[position + 1] if position + 1 < len(path) else 0
            index = following if isinstance(following, int) else 0
            entries = found.fields.get(name, []) if isinstance(found, _Node) else []
            if not 0 <= index < len(entries):
                break
            found = entries[index]
        if found is self._root:
            return Place(self.file)
        return self._source.place(found.offset if isinstance(found, _Node) else found)


def read(path: str | Path, message_type: type[M]) -> Document[M]:
    """The message of `message_type` in the file `path`; InputError or PrototxtError."""
    return _parsed(Source.decode(_contents(str(path)), str(path)), message_type)


def parse(text: str, message_type: type[M], file: str = "<string>") -> Document[M]:
    """The message of `message_type` in `text`; PrototxtError, placed in `file`."""
    return _parsed(Source(text.removeprefix("\ufeff"), file), message_type)


def to_text(message: Message) -> str:
    """`message` as prototxt that Caffe reads: fields by number, floats as short as they round-trip."""
    return text_format.MessageToString(message, as_utf8=True)


def override(message: Message, setting: str) -> None:
    """Set one field of `message` from "path=value", such as "base_lr=0.01" or "net_param.name=lenet".

    The path goes through singular messages by dots. A repeated field is replaced, by one value, by several
    with commas, or by a list in brackets. Strings need no quotes. Errors are placed at "--set path=value".
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
        root = _Node(0)
        _Parser(Source(_as_text(last, value.strip()), str(place))).fill(fresh, root)
        if len(root.fields) > 1:
            raise PrototxtError("a setting gives one field its value")
    except PrototxtError as error:
        error.place = place
        raise
    message.SetInParent()
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


def _contents(path: str) -> bytes:
    if not path:
        raise InputError("a prototxt file is needed, and its name is empty")
    file, place = Path(path), Place(path)
    try:
        if file.is_dir():
            raise InputError("this is a folder; a prototxt file is needed", place=place)
        size = file.stat().st_size
        if size > LARGEST_FILE:
            limit = f"prototxt may have up to {LARGEST_FILE >> 20} MiB"
            raise PrototxtError(f"the file has {size} bytes: {limit}", place=place)
        raw = file.read_bytes()
    except FileNotFoundError:
        siblings = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
        raise InputError("no such file", place=place, hint=did_you_mean(file.name, siblings)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"the file cannot be read: {reason}", place=place) from None
    kind = file_kind(raw[:512])
    if kind not in (None, "a text file"):
        raise PrototxtError(f"this is {kind}, not prototxt", place=place)
    if sum(byte < 9 or 13 < byte < 32 for byte in raw[:512]) > 1:
        hint = "a .caffemodel is given with --weights" if path.endswith(".caffemodel") else None
        raise PrototxtError(f"this is a binary file of {size} bytes, not prototxt", place=place, hint=hint)
    return raw


def _parsed(source: Source, message_type: type[M]) -> Document[M]:
    message, root = message_type(), _Node(0)
    _Parser(source).fill(message, root)
    document = Document(message, source, root)
    missing: list[str] = cast(Any, message).FindInitializationErrors()
    if missing:
        *outer, name = missing[0].split(".")
        path: list[str | int] = []
        for step in outer:
            match = _STEP.fullmatch(step)
            path += [match[1], int(match[2] or 0)] if match else []
        raise PrototxtError(f'"{".".join(outer)}" needs a value for "{name}"', place=document.place(*path))
    return document


class _Parser:
    """Fills messages from tokens."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tokens = Tokens(source)
        self._open: list[Message] = []

    def fill(self, message: Message, node: _Node) -> None:
        """Read the whole text into `message`."""
        self._open.append(message)
        tokens = self._tokens
        while tokens.kind != "end":
            if tokens.kind == "symbol" and tokens.text in "}>":
                raise tokens.error(f'"{tokens.text}" closes nothing that is open')
            self._field(message, node)
        self._open.pop()

    def _field(self, message: Message, node: _Node) -> None:
        """One field with its value or values, and the comma or semicolon after it."""
        tokens = self._tokens
        offset = tokens.offset
        known = self._named(message)
        tokens.advance()
        colon = tokens.take(":")
        if not known.repeated and known.name in node.fields:
            first = node.fields[known.name][0]
            before = self._source.place(first.offset if isinstance(first, _Node) else first)
            raise self._source.error(offset, f"{known} is given twice; the first stands at {before}")
        if known.message is None and not colon:
            raise tokens.error(f'expected ":" after "{known.name}", not {tokens.shown()}')
        places = node.fields.setdefault(known.name, [])
        if known.repeated and tokens.take("["):
            self._list(message, known, places)
        else:
            places.append(self._value(message, known, offset))
        tokens.take(",", ";")

    def _named(self, message: Message) -> Field:
        tokens = self._tokens
        if tokens.kind != "name":
            raise tokens.error(f"expected a field of {message.DESCRIPTOR.name}, not {tokens.shown()}")
        known = fields_of(message.DESCRIPTOR).get(tokens.text)
        if known is None:
            hint = unknown_field_hint(tokens.text, self._open)
            raise tokens.error(f'{message.DESCRIPTOR.name} has no field "{tokens.text}"', hint)
        return known

    def _list(self, message: Message, known: Field, places: list[_Node | int]) -> None:
        tokens = self._tokens
        if tokens.take("]"):
            return
        while True:
            places.append(self._value(message, known, tokens.offset))
            if tokens.take("]"):
                return
            if not tokens.take(","):
                raise tokens.error(f'expected "," or "]" in the list of {known}, not {tokens.shown()}')

    def _value(self, message: Message, known: Field, offset: int) -> _Node | int:
        """Read one value of the field into `message` and return its place."""
        if known.message is not None:
            return self._message(message, known, offset)
        value = self._scalar(known)
        if known.repeated:
            getattr(message, known.name).append(value)
        else:
            setattr(message, known.name, value)
        return offset

    def _message(self, message: Message, known: Field, offset: int) -> _Node:
        tokens = self._tokens
        opening, opened = tokens.text, tokens.offset
        if not tokens.take(*_CLOSING):
            raise tokens.error(f"{known} must be {known.wanted}, not {tokens.shown()}")
        child: Any = getattr(message, known.name)
        if known.repeated:
            child = child.add()
        else:
            child.SetInParent()
        node = _Node(offset)
        self._open.append(child)
        while not tokens.take(_CLOSING[opening]):
            if tokens.kind == "end":
                end = self._source.place(tokens.offset)
                raise self._source.error(
                    opened, f'this "{opening}" of {known} is never closed; the file ends at line {end.line}'
                )
            self._field(child, node)
        self._open.pop()
        return node

    def _scalar(self, known: Field) -> Scalar:
        tokens = self._tokens
        offset = tokens.offset
        try:
            if tokens.kind != "string":
                if tokens.kind == "symbol" or tokens.kind == "end":
                    raise wrong(known, tokens.shown())
                value = scalar(known, tokens.kind, tokens.text)
                tokens.advance()
                return value
            first, joined = tokens.text, b""
            while tokens.kind == "string":  # adjacent literals are one string
                joined += unescaped(tokens.text)
                tokens.advance()
            return string(known, joined, first)
        except PrototxtError as error:
            error.with_place(self._source.place(offset))
            raise
