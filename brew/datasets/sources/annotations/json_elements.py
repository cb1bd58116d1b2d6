"""JSON files of any length, element by element of the arrays at their top: only one is in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, NamedTuple

from brew.errors import DataError, Place

_CHUNK = 1 << 20  # bytes read at a time
_MOST = 64 << 20  # bytes of one element
_NEAR = 32  # characters from the end of what was read: a mistake there may be that the rest was not read yet
_BLANK = " \t\r\n"
_MARK = "\xef\xbb\xbf"  # of UTF-8, as Latin-1


class Element(NamedTuple):
    """One element of the array `name`: its value, the place of its first character, its first byte and how many."""

    name: str
    value: Any
    place: Place
    start: int
    size: int


def elements(file: BinaryIO, path: str, wanted: Collection[str]) -> Iterator[Element]:
    """The elements of the `wanted` arrays of the object in `file`, in its order.

    DataError, with a place in `path`, for what is no JSON, for an object that is none or lies deeper than Python goes,
    and for a wanted name that has no array.
    """
    text = _Text(file, path)
    if text.next() == _MARK[0]:
        text.skip(_MARK)
    if text.next() != "{":
        raise DataError("an object is expected, as { begins one", place=text.place())
    text.skip("{")
    while text.next() != "}":
        name = text.value()
        if not isinstance(name, str):
            raise DataError("a name in quotes is expected", place=text.place())
        text.next()
        text.skip(":")
        if text.next() == "[":
            yield from _array(text, name, name in wanted)
        elif name in wanted:
            raise DataError(f'"{name}" is expected to be an array', place=text.place())
        else:
            text.value()
        if text.next() not in (",", "}"):
            raise DataError(", or } is expected", place=text.place())
        if text.next() == ",":
            text.skip(",")


def _array(text: _Text, name: str, wanted: bool) -> Iterator[Element]:
    text.skip("[")
    while text.next() != "]":
        place, start = text.place(), text.offset()
        value = text.value()
        if wanted:
            yield Element(name, value, place, start, text.offset() - start)
        if text.next() not in (",", "]"):
            raise DataError(", or ] is expected", place=text.place())
        if text.next() == ",":
            text.skip(",")
    text.skip("]")


class _Text:
    """A file as characters, each of them one byte, and what was read of it and not used yet."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file, self._path = file, path
        self._decoder = json.JSONDecoder()
        self._ahead = ""
        self._at = 0
        self._before = 0  # bytes before those in `_ahead`
        self._line, self._line_start, self._counted = 1, 0, 0  # of the characters up to `_counted` of the file
        self._ended = False

    def offset(self) -> int:
        return self._before + self._at

    def place(self, at: int | None = None) -> Place:
        """The line and column of a character that is none before those asked for earlier."""
        at = self._at if at is None else at
        begin = self._counted - self._before
        self._line += self._ahead.count("\n", begin, at)
        last = self._ahead.rfind("\n", begin, at)
        self._line_start = self._line_start if last < 0 else self._before + last + 1
        self._counted = self._before + at
        return Place(self._path, self._line, self._counted - self._line_start + 1)

    def next(self) -> str:
        """The next character that is no blank, which stays; "" at the end."""
        while True:
            while self._at < len(self._ahead):
                if self._ahead[self._at] not in _BLANK:
                    return self._ahead[self._at]
                self._at += 1
            if not self._more(_CHUNK):
                return ""

    def skip(self, expected: str) -> None:
        while len(self._ahead) - self._at < len(expected) and self._more(_CHUNK):
            pass
        if not self._ahead.startswith(expected, self._at):
            raise DataError(f"{expected} is expected", place=self.place())
        self._at += len(expected)

    def value(self) -> Any:
        """The next value."""
        self.next()
        while True:
            begun = self._at
            try:
                value, end = self._decoder.raw_decode(self._ahead, begun)
            except json.JSONDecodeError as error:
                if self._is_mistake(error) or not self._more(max(_CHUNK, len(self._ahead) - begun)):
                    raise DataError(f"this is no JSON: {error.msg}", place=self.place(error.pos)) from None
            except RecursionError:
                raise DataError("this is nested too deep", place=self.place()) from None
            except ValueError as error:  # a number of thousands of digits
                raise DataError(f"this cannot be read: {error}", place=self.place()) from None
            else:
                if end < len(self._ahead) or not self._more(_CHUNK):  # else a number may go on
                    return self._used(value, end)
            if len(self._ahead) - self._at > _MOST:
                raise DataError(f"this is longer than {_MOST >> 20} MiB", place=self.place())

    def _used(self, value: Any, end: int) -> Any:
        text = self._ahead[self._at : end]
        place = self.place() if not text.isascii() else None
        self._at = end
        if place is None:
            return value
        try:
            return json.loads(text.encode("latin-1"))
        except UnicodeDecodeError:
            raise DataError("this is no UTF-8", place=place) from None

    def _is_mistake(self, error: json.JSONDecodeError) -> bool:
        return not error.msg.startswith("Unterminated string") and error.pos < len(self._ahead) - _NEAR

    def _more(self, size: int) -> bool:
        if self._ended:
            return False
        try:
            read = self._file.read(size)
        except (OSError, EOFError) as error:
            raise DataError(f"{self._path} cannot be read: {error}") from None
        self._ended = not read
        self.place()
        self._before += self._at
        self._ahead = self._ahead[self._at :] + read.decode("latin-1")
        self._at = 0
        return not self._ended
