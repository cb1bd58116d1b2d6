"""The mutator: one edit of a whole file or a few, drawn from a generator that Python's versions do not change."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

_TOKEN = re.compile(rb'\s+|"[^"\n]*"|[\w.+-]+|#[^\n]*|.', re.DOTALL)
_LARGEST = 1 << 20  # bytes of a mutant
_NUMBERS = (
    b"0 -1 1 2 3 7 -0 00 007 0x10 0x7fffffff -2147483648 2147483647 2147483648 4294967295 4294967296 1000000 "
    b"9223372036854775807 -9223372036854775809 18446744073709551615 18446744073709551616 0.5 1e-45 1e38 3.5e38 1e400 "
    b"1.f .5 1. nan -inf infinity true TRUE 12x - ." + b" " + b"9" * 500
).split()
_STRINGS = [
    b'""',
    b'"' + b"a" * 5000 + b'"',
    b"'x'",
    b'"\\377"',
    b'"\\000"',
    b'"a\\"',
    b'"../.."',
    b'"/"',
    b'"."',
    b'"~"',
    b'"a" "b"',
    b'"\xc3\xa9"',
    b'"\n"',
    b'"%s%n"',
    b'" "',
]
_BYTES = [
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b'"',
    b"'",
    b"{",
    b"}",
    b"<",
    b">",
    b"[",
    b"]",
    b";",
    b",",
    b":",
    b"#",
    b"//",
    b"\\",
    b"\xef\xbb\xbf",
    b"\r",
    b"\x1b[2J",
    b"-",
    b"{}",
    b"{{",
    b": {",
    b"\xe2\x80\xa8",
]
_WHOLE = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 40,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
]


class Draw(random.Random):
    """Random choices that rest on `getrandbits` alone, whose stream for a seed is fixed."""

    def below(self, limit: int) -> int:
        return self.getrandbits(64) % limit

    def one_of(self, items: Sequence[bytes]) -> bytes:
        return items[self.below(len(items))]

    def span(self, data: Sequence[object], longest: int = 64) -> tuple[int, int]:
        """The start and end of a piece."""
        start = self.below(len(data) + 1)
        return start, min(len(data), start + 1 + self.below(longest))


def mutant(seed: int, kind: str, number: int, files: Sequence[bytes], *, text: bool) -> bytes:
    """Mutant `number` of `files`; `text` says whether edits of words and lines make sense."""
    draw = Draw(f"{seed}/{kind}/{number}")
    data = draw.one_of(files)
    edits = _TEXT_EDITS if text else _BINARY_EDITS
    for _ in range(1 + draw.below(2) * draw.below(5)):
        data = edits[draw.below(len(edits))](draw, data, files)[:_LARGEST]
    return data


# --- bytes ----------------------------------------------------------------------------------------------------------


def _flip(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    out = bytearray(data)
    for _ in range(1 + draw.below(4)):
        if out:
            out[draw.below(len(out))] ^= 1 << draw.below(8)
    return bytes(out)


def _set_byte(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    start, _ = draw.span(data)
    return data[:start] + bytes([draw.below(256)]) + data[start + 1 :]


def _whole_number(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    """An extreme number over 1, 2, 4 or 8 bytes: sizes, offsets and counts of most formats."""
    size = 1 << draw.below(4)
    start = draw.below(max(len(data), 1))
    if draw.below(2):
        start -= start % size
    value = _WHOLE[draw.below(len(_WHOLE))] & (1 << 8 * size) - 1
    return data[:start] + value.to_bytes(size, "little" if draw.below(4) else "big") + data[start + size :]


def _varint(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    """A varint instead of a byte: lengths and dimensions of protobuf messages."""
    start = draw.below(max(len(data), 1))
    value, out = _WHOLE[draw.below(len(_WHOLE))], b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return data[:start] + out + bytes([value]) + data[start + 1 :]


def _step_length(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    """One more or one less, where a byte may be a length."""
    start = draw.below(max(len(data), 1))
    piece = bytes((byte + (1 if draw.below(2) else 255)) & 255 for byte in data[start : start + 1])
    return data[:start] + piece + data[start + 1 :]


def _cut(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: draw.below(len(data) + 1)]


def _remove(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = draw.span(data)
    return data[:start] + data[end:]


def _repeat(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = draw.span(data, 256)
    times = 1 + draw.below(3) if draw.below(8) else 300
    return data[:end] + data[start:end] * times + data[end:]


def _noise(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = draw.span(data, 16)
    return data[:start] + draw.randbytes(end - start) + data[end if draw.below(2) else start :]


def _splice(draw: Draw, data: bytes, files: Sequence[bytes]) -> bytes:
    other = draw.one_of(files)
    start, end = draw.span(other, 512)
    at, to = draw.span(data, 512)
    return data[:at] + other[start:end] + data[to if draw.below(2) else at :]


def _zeros(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = draw.span(data, 128)
    return data[:start] + bytes(end - start) + data[end:]


# --- words and lines --------------------------------------------------------------------------------------------------


def _tokens(data: bytes) -> list[bytes]:
    return _TOKEN.findall(data)


def _replace_where(draw: Draw, data: bytes, fits: Callable[[bytes], bool], by: Sequence[bytes]) -> bytes:
    tokens = _tokens(data)
    places = [i for i, token in enumerate(tokens) if fits(token)]
    if places and by:
        tokens[places[draw.below(len(places))]] = draw.one_of(by)
    return b"".join(tokens)


def _number(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    return _replace_where(draw, data, lambda token: token[:1].isdigit() or token[:1] in b"-.", _NUMBERS)


def _string(draw: Draw, data: bytes, files: Sequence[bytes]) -> bytes:
    others = [token for token in _tokens(draw.one_of(files)) if token[:1] == b'"']
    return _replace_where(draw, data, lambda token: token[:1] == b'"', _STRINGS if draw.below(3) == 0 else others)


def _word(draw: Draw, data: bytes, files: Sequence[bytes]) -> bytes:
    others = [token for token in _tokens(draw.one_of(files)) if token[:1].isalpha()]
    return _replace_where(draw, data, lambda token: token[:1].isalpha(), others)


def _shuffle_tokens(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    tokens = _tokens(data) or [b""]
    one, other = draw.below(len(tokens)), draw.below(len(tokens))
    match draw.below(3):
        case 0:
            tokens[one] = b""
        case 1:
            tokens[one] *= 2
        case _:
            tokens[one], tokens[other] = tokens[other], tokens[one]
    return b"".join(tokens)


def _odd_bytes(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    start = draw.below(len(data) + 1)
    return data[:start] + draw.one_of(_BYTES) + data[start:]


def _lines(draw: Draw, data: bytes, files: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    at = draw.below(len(lines))
    match draw.below(5):
        case 0:
            del lines[at]
        case 1:
            lines[at:at] = [lines[at]] * (1 if draw.below(8) else 400)
        case 2:
            other = draw.below(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            lines.insert(at, draw.one_of(draw.one_of(files).split(b"\n")))
        case _:
            lines[at:] = draw.one_of(files).split(b"\n")[at:]
    return b"\n".join(lines)


def _nest(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    """A message opened many times, and closed again or not."""
    tokens = _tokens(data)
    opened = [i for i, token in enumerate(tokens) if token == b"{"]
    if not opened:
        return data
    at = opened[draw.below(len(opened))]
    times = 1 + draw.below(200)
    name = b"".join(tokens[max(at - 2, 0) : at])
    return b"".join([*tokens[:at], (b"{ " + name) * times, *tokens[at:]]) + b"}" * (times * draw.below(2))


_BINARY_EDITS = [
    _flip,
    _set_byte,
    _whole_number,
    _varint,
    _step_length,
    _cut,
    _remove,
    _repeat,
    _noise,
    _splice,
    _zeros,
]
_TEXT_EDITS = [
    *[_number] * 8, *[_string] * 4, *[_word] * 4, *[_lines] * 4, _shuffle_tokens, _odd_bytes, _nest, _cut, _flip,
    _remove, _splice,
]  # fmt: skip
