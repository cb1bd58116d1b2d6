"""The words of Python 2: a text is cut into tokens, and their texts put together are the text again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<space> [ \t\f]+ | \\\n )
    | (?P<comment> \#[^\n]* )
    | (?P<newline> \n )
    | (?P<string> (?i:u?r?|br?) (?: \"{3} (?:[^\\]|\\.)*? \"{3} | '{3} (?:[^\\]|\\.)*? '{3}
                                  | " (?:[^\\\n"]|\\.)* " | ' (?:[^\\\n']|\\.)* ' ) )
    | (?P<number> 0[xX][0-9a-fA-F]+[lL]? | 0[bB][01]+[lL]? | 0[oO]?[0-7]+[lL]?(?![\w.])
                | (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[jJlL]? )
    | (?P<name> [^\W\d]\w* )
    | (?P<op> <> | \*\*=? | //=? | >>=? | <<=? | [-+*/%&|^=<>!]=? | . )
    """,
    re.VERBOSE | re.DOTALL,
)
OPENING, CLOSING = "([{", ")]}"


@dataclass(slots=True)
class Token:
    """A piece of a program. Translating changes its `text`.

    kind  name, number, string, op; comment, space, and `indent`, which is space where a line begins; `newline`, which
          ends a statement, and `blank`, which does not
    """

    kind: str
    text: str
    depth: int  # of brackets around it

    @property
    def counts(self) -> bool:
        """Whether it is part of a statement, not of its looks."""
        return self.kind in ("name", "number", "string", "op")


def tokens_of(text: str) -> list[Token]:
    """The tokens of `text`, whose lines end with "\\n"."""
    found: list[Token] = []
    depth, begun = 0, False  # begun: a statement has
    for match in _TOKEN.finditer(text):
        kind, piece = str(match.lastgroup), match[0]
        if kind == "newline":
            kind = "newline" if begun and not depth else "blank"
            begun = begun and depth > 0
        elif kind == "space" and not begun and piece[0] != "\\":
            kind = "indent"
        elif kind not in ("space", "comment"):
            begun = True
        depth -= kind == "op" and piece in CLOSING
        found.append(Token(kind, piece, depth))
        depth += kind == "op" and piece in OPENING
    return found


def statements(tokens: list[Token]) -> Iterator[list[Token]]:
    """The statements: their tokens, without space and comments. The header of a compound one is one of its own."""
    current: list[Token] = []
    lambdas = 0
    for token in tokens:
        if token.kind == "newline" or (token.text == ";" and token.kind == "op" and not token.depth):
            yield from [current] if current else []
            current, lambdas = [], 0
        elif token.counts:
            current.append(token)
            if token.depth or token.kind not in ("name", "op"):
                continue
            lambdas += token.text == "lambda"
            if token.text == ":" and lambdas:
                lambdas -= 1
            elif token.text == ":" and current[0].text in _COMPOUND:
                yield current
                current = []
    yield from [current] if current else []


_COMPOUND = frozenset(("if", "elif", "else", "for", "while", "try", "except", "finally", "with", "class", "def"))
