"""Whole numbers of seven bits a byte, low part first, as protobuf and LevelDB write them."""

from __future__ import annotations

_MOST = 70  # bits of ten bytes


def read(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at byte `at`, and where it ends.

    IndexError where `data` ends within it, and for one of more than ten bytes, that is of more than 64 bits.

    >>> read(b"\\xac\\x02...", 0)
    (300, 2)
    """
    value = 0
    for shift in range(0, _MOST, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise IndexError(f"byte {at}: a number of more than 64 bits")


def written(value: int) -> bytes:
    """The bytes of a number.

    >>> written(300).hex()
    'ac02'
    """
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
