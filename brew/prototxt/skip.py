"""Skipping the value of a field of unknown type: any value that the text format allows."""

from __future__ import annotations

from dataclasses import dataclass

from .tokens import Tokens

_CLOSING = {"{": "}", "<": ">", "[": "]"}


@dataclass(slots=True)
class _Open:
    """A message or a list that has not ended; `begun` once something stood in it."""

    symbol: str
    name: str
    offset: int
    begun: bool = False


def skip_value(tokens: Tokens, name: str, *, colon: bool) -> str:
    """Skip the value of field `name`, from its first token on, and return it: "{ ... }" for a long one.

    `colon` says whether one stood before it. PrototxtError where the text is no value. Nesting of any depth
    takes no stack.
    """
    shown = f"{tokens.text} ... {_CLOSING[tokens.text]}" if tokens.text in _CLOSING else tokens.text
    waiting: list[_Open] = []
    _value(tokens, name, colon, waiting)
    while waiting:
        inner = waiting[-1]
        if inner.begun and inner.symbol != "[":
            tokens.take(",", ";")
        if tokens.take(_CLOSING[inner.symbol]):
            waiting.pop()
        elif tokens.kind == "end":
            end = tokens.source.place(tokens.offset)
            text = f'this "{inner.symbol}" of {inner.name} is never closed; the file ends at line {end.line}'
            raise tokens.source.error(inner.offset, text)
        elif inner.symbol == "[":
            _element(tokens, inner, waiting)
        else:
            _field(tokens, inner, waiting)
    return shown


def _element(tokens: Tokens, inner: _Open, waiting: list[_Open]) -> None:
    if inner.begun and not tokens.take(","):
        raise tokens.error(f'expected "," or "]" in the list of {inner.name}, not {tokens.shown()}')
    inner.begun = True
    if tokens.text == "[":
        raise tokens.error(f"a list stands in the list of {inner.name}")
    _value(tokens, inner.name, True, waiting)


def _field(tokens: Tokens, inner: _Open, waiting: list[_Open]) -> None:
    if tokens.kind != "name":
        raise tokens.error(f"expected a field of {inner.name}, not {tokens.shown()}")
    inner.begun = True
    name = tokens.text
    tokens.advance()
    _value(tokens, name, tokens.take(":"), waiting)


def _value(tokens: Tokens, name: str, colon: bool, waiting: list[_Open]) -> None:
    if tokens.kind == "symbol" and tokens.text in _CLOSING:
        waiting.append(_Open(tokens.text, name, tokens.offset))
        tokens.advance()
    elif not colon:
        raise tokens.error(f'expected ":" or "{{" after "{name}", not {tokens.shown()}')
    elif tokens.kind == "string":
        while tokens.kind == "string":  # adjacent literals are one string
            tokens.advance()
    elif tokens.kind in ("name", "number"):
        tokens.advance()
    else:
        raise tokens.error(f"expected a value of {name}, not {tokens.shown()}")
