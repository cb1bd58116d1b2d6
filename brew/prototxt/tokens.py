"""Prototxt as tokens with places: words, numbers, strings and punctuation of protobuf's text format."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from brew.errors import Place, PrototxtError

_TOKEN = re.compile(
    r"""
    (?: [ \t\r\n\f\v]++ | \#[^\n]*+ )*+
    (?: (?P<name>   [A-Za-z_][A-Za-z0-9_]*+ )
      | (?P<number> [-+.]?[0-9][A-Za-z0-9_.+-]*+ | [-+][A-Za-z0-9_.+-]*+ )
      | (?P<string> "[^"\\\n]*+(?:\\.[^"\\\n]*+)*+" | '[^'\\\n]*+(?:\\.[^'\\\n]*+)*+' )
      | (?P<symbol> [{}<>\[\]:,;] )
      | (?P<end>    \Z )
      | (?P<bad>    . ) )
    """,
    re.VERBOSE | re.DOTALL,
)
_MARK = b"\xef\xbb\xbf"  # UTF-8's byte order mark
_NOT_UTF8 = re.compile("[\udc80-\udcff]")  # what SourceText.decode makes of such bytes
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE = {
    ord(letter): bytes([code])
    for letter, code in zip("abfnrtv\\'\"?", (7, 8, 12, 10, 13, 9, 11, 92, 39, 34, 63), strict=True)
}


class SourceText:
    """A text and where it came from."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file

    @classmethod
    def decode(cls, raw: bytes, file: str) -> SourceText:
        """UTF-8 bytes, with or without a byte order mark. Other bytes are allowed in comments, as in Caffe."""
        return cls(raw.removeprefix(_MARK).decode("utf-8", "surrogateescape"), file)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer("\n", self.text))]

    def place(self, offset: int) -> Place:
        """The place of the character at `offset`."""
        line = bisect_right(self._line_starts, offset)
        return Place(self.file, line, offset - self._line_starts[line - 1] + 1)

    def error(self, offset: int, message: str, hint: str | None = None) -> PrototxtError:
        """An error placed at `offset`."""
        return PrototxtError(message, place=self.place(offset), hint=hint)


class Tokens:
    """A cursor over the tokens of a source: `kind`, `text` and `offset` are those of the current one.

    Kinds are name, number, string, symbol and end. Moving on raises PrototxtError where no token begins.
    """

    kind: str
    text: str
    offset: int

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self._next = 0
        self._string: tuple[int, str] = (-1, "")  # where the newest string ended, and its text
        self.advance()

    def advance(self) -> None:
        """Go to the next token; at the end, stay there."""
        match = _TOKEN.match(self.source.text, self._next)
        if match is None or match.lastgroup is None:
            raise AssertionError("the last alternative of the token pattern matches any character")
        self.kind = match.lastgroup
        self.text = match[self.kind]
        self.offset = match.start(self.kind)
        self._next = match.end()
        if self.kind == "string":
            self._string = (self._next, self.text)
            self._refuse_other_bytes()
        if self.kind == "bad":
            raise self._stray()

    def take(self, *symbols: str) -> bool:
        """Skip the current token if it is one of `symbols`; returns whether it was."""
        if self.kind == "symbol" and self.text in symbols:
            self.advance()
            return True
        return False

    def error(self, message: str, hint: str | None = None) -> PrototxtError:
        """An error placed at the current token."""
        return self.source.error(self.offset, message, hint)

    def unquoted(self) -> str | None:
        """The hint for a string that a missing quote has swallowed text into: the current word touches its end."""
        end, text = self._string
        return f"is a quote missing in {text}?" if end == self.offset and self.kind == "name" else None

    def shown(self) -> str:
        """The current token as an error message names it."""
        if self.kind == "end":
            return "the end of the file"
        text = self.text if len(self.text) <= 40 else self.text[:37] + "..."
        return text if self.kind in ("number", "string") else f'"{text}"'

    def _refuse_other_bytes(self) -> None:
        """PrototxtError where the current token is not UTF-8 text."""
        other = None if self.text.isascii() else _NOT_UTF8.search(self.text)
        if other is not None:
            what = f"byte 0x{ord(other[0]) - 0xDC00:02x} is not UTF-8 text"
            raise self.source.error(self.offset + other.start(), what, "save the file as UTF-8")

    def _stray(self) -> PrototxtError:
        self._refuse_other_bytes()
        character = self.text
        following = self.source.text[self.offset : self.offset + 2]
        if following in ("//", "/*"):
            return self.error(f'"{following}" begins no comment', "comments start with #")
        if character in "\"'":
            return self.error("this string has no closing quote on its line")
        if character == "=":
            return self.error('unexpected "="', 'a value follows a colon, as in "base_lr: 0.01"')
        if character.isprintable() and character.isascii():
            return self.error(f'unexpected "{character}"')
        return self.error(f"unexpected character U+{ord(character):04X}", "retype it by hand in a plain text editor")


def unescaped(literal: str) -> bytes:
    """The bytes that a quoted literal stands for; PrototxtError, without a place, for an unknown escape."""
    raw = literal[1:-1].encode("utf-8")
    return _ESCAPE.sub(_escape, raw) if b"\\" in raw else raw


def _escape(match: re.Match[bytes]) -> bytes:
    octal, hexadecimal, short, long, letter = match.groups()
    if octal or hexadecimal:
        value = int(octal, 8) if octal else int(hexadecimal, 16)
        if value > 255:
            raise PrototxtError(f"escape {match[0].decode()} is more than one byte")
        return bytes([value])
    if short or long:
        value = int(short or long, 16)
        if value > 0x10FFFF or 0xD800 <= value < 0xE000:
            raise PrototxtError(f"escape {match[0].decode()} is no Unicode character")
        return chr(value).encode("utf-8")
    if letter[0] not in _SIMPLE:
        raise PrototxtError(
            f"unknown escape {match[0].decode('utf-8', 'replace')} in a string",
            hint='a backslash is written "\\\\"',
        )
    return _SIMPLE[letter[0]]
