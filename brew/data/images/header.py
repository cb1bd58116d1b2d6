"""What the head of a JPEG file says, read without a decoder: size, channels, and how the camera was held."""

from __future__ import annotations

import struct
from typing import NamedTuple

_START = b"\xff\xd8"
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of a frame, whatever its kind
_ALONE = frozenset(range(0xD0, 0xD9)) | {0x01}  # markers without a length
_SCAN, _END, _EXIF = 0xDA, 0xD9, 0xE1
_ORIENTATION, _SHORT = 0x0112, 3  # of EXIF: the tag, and the type of its value


class Header(NamedTuple):
    """Size in pixels, channels, bits a channel, and EXIF's orientation (1 to 8; 1 where there is none)."""

    height: int
    width: int
    channels: int
    bits: int
    orientation: int = 1


def jpeg_header(data: bytes | memoryview) -> Header | None:
    """The header of a JPEG file; None where `data` is none, or so odd that a decoder must judge it."""
    if data[:2] != _START:
        return None
    at, orientation = 2, 1
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a byte that fills
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in (_SCAN, _END):
            return None
        else:
            length = data[at + 2] << 8 | data[at + 3]
            if marker in _SIZES:
                return _frame(data[at + 4 : at + 10], orientation)
            if marker == _EXIF and data[at + 4 : at + 10] == b"Exif\0\0":
                orientation = tiff_orientation(data[at + 10 : at + 2 + length])
            at += 2 + length
    return None


def _frame(fields: bytes | memoryview, orientation: int) -> Header | None:
    if len(fields) < 6:
        return None
    bits, height, width, channels = struct.unpack(">BHHB", fields)
    return Header(height, width, channels, bits, orientation) if height and width else None


def tiff_orientation(exif: bytes | memoryview) -> int:
    """The orientation in an EXIF block (a TIFF file's head and its first directory); 1 where it has none that is valid.

    >>> tiff_orientation(b"II*\\0\\x08\\0\\0\\0\\x01\\0\\x12\\x01\\x03\\0\\x01\\0\\0\\0\\x06\\0\\0\\0")
    6
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(exif[:4]))
    if order is None or len(exif) < 8:
        return 1
    start = struct.unpack_from(f"{order}I", exif, 4)[0]
    if start + 2 > len(exif):
        return 1
    count = struct.unpack_from(f"{order}H", exif, start)[0]
    for entry in range(start + 2, min(start + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, values, value = struct.unpack_from(f"{order}HHIH", exif, entry)
        if tag == _ORIENTATION:
            return value if kind == _SHORT and values == 1 and 1 <= value <= 8 else 1
    return 1
