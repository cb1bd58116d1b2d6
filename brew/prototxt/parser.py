"""The reader of prototxt: from tokens to messages, with the place of every field and the fields of forks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from brew.errors import PrototxtError

from . import forks
from .fork_words import synonym
from .forks import Fact, ForeignField
from .hints import MISSING_BRACE, unknown_field_hint, value_hint
from .schema import Field, fields_of
from .skip import skip_value
from .tokens import SourceText, Tokens, unescaped
from .values import Scalar, scalar, string, wrong

_CLOSING = {"{": "}", "<": ">"}


@dataclass(slots=True)
class Node:
    """Where a message stands in the text, and its fields: a node for a message, an offset for a scalar."""

    offset: int
    fields: dict[str, list[Node | int]] = field(default_factory=dict)


class Parser:
    """Fills messages from tokens. `foreign` are the skipped fields of forks.

    With a list `problems`, unknown fields, fields given twice and wrong values go there and are skipped;
    errors after which the next field cannot be found are raised all the same.
    """

    def __init__(self, source: SourceText, problems: list[PrototxtError] | None = None) -> None:
        self.foreign: list[ForeignField] = []
        self._problems = problems
        self._source = source
        self._tokens = Tokens(source)
        self._open: list[Message] = []
        self._path: list[str | int] = []  # of the message that is being read

    def fill(self, message: Message, node: Node) -> None:
        """Read the whole text into `message`."""
        self._open.append(message)
        tokens = self._tokens
        while tokens.kind != "end":
            if tokens.kind == "symbol" and tokens.text in "}>":
                raise tokens.error(f'"{tokens.text}" closes nothing that is open')
            self._field(message, node)
        self._open.pop()

    def _field(self, message: Message, node: Node) -> None:
        """One field with its value or values, and the comma or semicolon after it."""
        tokens = self._tokens
        offset = tokens.offset
        known = self._named(message)
        name = tokens.text
        tokens.advance()
        colon = tokens.take(":")
        if known is None:
            self._step_over(name, colon=colon)
            return
        if isinstance(known, Fact):
            value = skip_value(tokens, known.name, colon=colon)
            self._note(known.name, value, offset, known)
            tokens.take(",", ";")
            return
        stored = known.stored_as or known.name
        if not known.repeated and stored in node.fields:
            first = node.fields[stored][0]
            before = self._source.place(first.offset if isinstance(first, Node) else first)
            what = f"{known}, which is {stored}," if known.stored_as else known
            self._refuse(self._source.error(offset, f"{what} is given twice; the first stands at {before}"))
            self._step_over(name, colon=colon or known.message is None)
            return
        if known.message is None and not colon:
            what = f'expected ":" after "{known.name}", not {tokens.shown()}'
            self._refuse(tokens.error(what, value_hint(known, tokens.text)))
            self._step_over(name, colon=True)
            return
        places = node.fields.setdefault(stored, [])
        if known.repeated and tokens.take("["):
            self._list(message, known, places)
        else:
            places.append(self._value(message, known, offset, places))
        tokens.take(",", ";")

    def _refuse(self, error: PrototxtError) -> None:
        if self._problems is None:
            raise error
        self._problems.append(error)

    def _step_over(self, name: str, *, colon: bool) -> None:
        """Go to the next field."""
        skip_value(self._tokens, name, colon=colon)
        self._tokens.take(",", ";")

    def _note(self, name: str, value: str, offset: int, fact: Fact) -> None:
        place = self._source.place(offset)
        self.foreign.append(ForeignField(tuple(self._path), name, value, place, fact))

    def _named(self, message: Message) -> Field | Fact | None:
        """The field whose name is the current token; None where it is unknown and that has been noted."""
        tokens = self._tokens
        if tokens.kind != "name":
            raise tokens.error(f"expected a field of {message.DESCRIPTOR.name}, not {tokens.shown()}")
        schema = message.DESCRIPTOR
        name = tokens.text
        known = fields_of(schema).get(name) or synonym(schema.name, name) or forks.field(schema.name, name)
        if known is None:
            unquoted = tokens.unquoted()
            hint = unquoted or unknown_field_hint(name, self._open)
            error = tokens.error(f'{schema.name} has no field "{name}"', hint)
            if unquoted or (hint and MISSING_BRACE in hint):  # the nesting below is wrong
                raise error
            self._refuse(error)
        return known

    def _list(self, message: Message, known: Field, places: list[Node | int]) -> None:
        tokens = self._tokens
        if tokens.take("]"):
            return
        while True:
            places.append(self._value(message, known, tokens.offset, places))
            if tokens.take("]"):
                return
            if not tokens.take(","):
                raise tokens.error(f'expected "," or "]" in the list of {known}, not {tokens.shown()}')

    def _value(self, message: Message, known: Field, offset: int, places: list[Node | int]) -> Node | int:
        """Read one value of the field into `message` and return its place."""
        if known.message is not None:
            self._path += [known.name, len(places)] if known.repeated else [known.name]
            node = self._message(message, known, offset)
            del self._path[-2 if known.repeated else -1 :]
            return node
        value = self._scalar(known, offset)
        if value is None:
            return offset
        if known.repeated:
            getattr(message, known.name).append(value)
        else:
            setattr(message, known.stored_as or known.name, known.values.get(value, value))
        return offset

    def _message(self, message: Message, known: Field, offset: int) -> Node:
        tokens = self._tokens
        opening, opened = tokens.text, tokens.offset
        if not tokens.take(*_CLOSING):
            came = tokens.shown()
            raise tokens.error(f"{known} must be {known.wanted}, not {came}", value_hint(known, came))
        child: Any = getattr(message, known.name)
        if known.repeated:
            child = child.add()
        else:
            child.SetInParent()
        node = Node(offset)
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

    def _scalar(self, known: Field, field_offset: int) -> Scalar | None:
        """A scalar, or None for a value of forks, or one that is wrong and has been noted."""
        tokens = self._tokens
        offset = tokens.offset
        if known.enum is not None and tokens.kind == "name" and tokens.text not in known.enum.values_by_name:
            fact = forks.value(known.owner, known.name, tokens.text)
            if fact is not None:
                self._note(known.name, tokens.text, field_offset, fact)
                tokens.advance()
                return None
        try:
            if tokens.kind != "string":
                if tokens.kind == "symbol" or tokens.kind == "end":
                    raise wrong(known, tokens.shown(), value_hint(known, tokens.text))
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
            if str(known) == "V1LayerParameter.type" and self._source.text[offset] in "\"'":
                raise  # today's layers under the old name: every one of them is wrong
            self._refuse(error)
            if tokens.offset == offset:
                skip_value(tokens, known.name, colon=True)
            return None
