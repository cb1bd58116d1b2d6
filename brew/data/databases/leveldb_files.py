"""The files of a LevelDB, read without its library: records of logs, entries of tables, checksums, Snappy.

Format: LevelDB 1.23 (doc/log_format.md, doc/table_format.md, db/dbformat.h) and Snappy (format_description.txt). A key
in a file ends with eight bytes: its sequence number, the newest is the greatest, and whether it is a value (1) or says
that the key is deleted (0).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from brew.files import varints

_LOG_BLOCK, _LOG_HEADER = 32768, 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_FOOTER, _MAGIC = 48, bytes.fromhex("57fb808b247547db")
_TRAILER = 5  # behind a block: how it is compressed, and its checksum
_CHUNK = 4096  # bytes that are summed at once
_POLYNOMIAL = 0x82F63B78  # of CRC-32C, reflected


class Damaged(ValueError):
    """Bytes that are not what they should be; the text says how."""


class Entry(NamedTuple):
    """A key with what is known of it: the newer of two has the greater sequence. `value` is None: it was deleted."""

    key: bytes
    sequence: int
    value: bytes | None


# --- checksums ------------------------------------------------------------------------------------------------------


@cache
def _tables() -> npt.NDArray[np.uint32]:
    """What a byte (second index) adds to the sum of all, by the number of bytes behind it (first)."""
    row = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        row = np.where(row & 1, (row >> 1) ^ np.uint32(_POLYNOMIAL), row >> 1)
    rows = [row]
    while len(rows) < _CHUNK:
        rows.append((rows[-1] >> 8) ^ row[rows[-1] & 0xFF])
    return np.array(rows)


def checksum(data: bytes) -> int:
    """CRC-32C (Castagnoli).

    >>> hex(checksum(b"123456789"))
    '0xe3069283'
    """
    tables, state = _tables(), 0xFFFFFFFF
    for start in range(0, len(data), _CHUNK):
        chunk = np.frombuffer(data, np.uint8, min(_CHUNK, len(data) - start), start)
        size = len(chunk)
        added = np.bitwise_xor.reduce(tables[np.arange(size - 1, -1, -1), chunk])
        register = np.uint32(state)
        for behind in range(min(4, size)):  # the register so far counts as if it stood in the first four bytes
            added ^= tables[size - 1 - behind, int(register >> np.uint32(8 * behind)) & 0xFF]
        state = int(added) ^ (int(register) >> 8 * size if size < 4 else 0)
    return state ^ 0xFFFFFFFF


def check_sum(data: bytes, stored: bytes, what: str) -> None:
    """Damaged unless `stored`, four bytes, is the masked checksum of `data`."""
    found = checksum(data)
    if ((found >> 15 | found << 17) + 0xA282EAD8) & 0xFFFFFFFF != int.from_bytes(stored, "little"):
        raise Damaged(f"the checksum of {what} does not fit")


# --- numbers and texts ------------------------------------------------------------------------------------------------


def text(data: bytes, at: int) -> tuple[bytes, int]:
    """The bytes behind their number, and where they end."""
    size, at = varints.read(data, at)
    if at + size > len(data):
        raise Damaged("a text leads out of its record")
    return data[at : at + size], at + size


# --- logs -------------------------------------------------------------------------------------------------------------


def log_records(data: bytes, *, whole: bool = False) -> Iterator[bytes]:
    """The records of a log or manifest. A last one that was cut short counts as not written, as for LevelDB itself,
    unless the file has to be `whole`."""
    at, parts = 0, list[bytes]()
    while at + _LOG_HEADER <= len(data):
        if _LOG_BLOCK - at % _LOG_BLOCK < _LOG_HEADER:
            at += _LOG_BLOCK - at % _LOG_BLOCK
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        begin = at + _LOG_HEADER
        if kind == 0 and size == 0:  # room that was reserved
            return
        if begin + size > len(data):
            if whole:
                raise Damaged(f"a record at byte {at} leads out of its file")
            return
        check_sum(data[at + 6 : begin + size], data[at : at + 4], f"a record at byte {at}")
        if kind in (_FULL, _FIRST):
            parts = []
        parts.append(data[begin : begin + size])
        if kind in (_FULL, _LAST):
            yield b"".join(parts)
        elif kind not in (_FIRST, _MIDDLE):
            raise Damaged(f"a record at byte {at} is of kind {kind}")
        at = begin + size


def batch_entries(record: bytes) -> Iterator[Entry]:
    """The changes that a record of a log holds."""
    sequence, count, at = int.from_bytes(record[:8], "little"), int.from_bytes(record[8:12], "little"), 12
    for number in range(count):
        is_value = record[at]
        key, at = text(record, at + 1)
        value: bytes | None = None
        if is_value:
            value, at = text(record, at)
        yield Entry(key, sequence + number, value)


# --- tables -----------------------------------------------------------------------------------------------------------


def table_index(footer: bytes) -> tuple[int, int]:
    """Where the index of a table begins, and its size, by the last bytes of the file."""
    if len(footer) < _FOOTER or footer[-8:] != _MAGIC:
        raise Damaged("it does not end as a table does")
    footer = footer[-_FOOTER:]
    at = varints.read(footer, varints.read(footer, 0)[1])[1]
    start, at = varints.read(footer, at)
    return start, varints.read(footer, at)[0]


FOOTER, TRAILER = _FOOTER, _TRAILER


def block(stored: bytes) -> bytes:
    """The contents of a block, which is stored with its trailer."""
    if len(stored) < _TRAILER:
        raise Damaged("a block is cut short")
    contents, kind = stored[:-_TRAILER], stored[-_TRAILER]
    check_sum(stored[:-4], stored[-4:], "a block")
    if kind not in (0, 1):
        raise Damaged(f"a block is compressed in a way that is not known ({kind}); Snappy is")
    return uncompressed(contents) if kind else contents


def entries(contents: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block, in order: keys say how many bytes they share with the one before."""
    end = len(contents) - 4 - 4 * int.from_bytes(contents[-4:], "little")
    at, key = 0, b""
    while at < end:
        shared, at = varints.read(contents, at)
        own, at = varints.read(contents, at)
        size, at = varints.read(contents, at)
        if shared > len(key) or at + own + size > end:
            raise Damaged("an entry leads out of its block")
        key = key[:shared] + contents[at : at + own]
        at += own + size
        yield key, contents[at - size : at]


def as_entry(key: bytes, value: bytes) -> Entry:
    """An entry of a table's block, by its key with the eight bytes."""
    number = int.from_bytes(key[-8:], "little")
    return Entry(key[:-8], number >> 8, value if number & 0xFF else None)


def uncompressed(data: bytes) -> bytes:
    """What Snappy has compressed.

    >>> uncompressed(bytes([8, 1 << 2, *b"ab", 2 << 2 | 1, 2]))  # two bytes, and six from two bytes before on
    b'abababab'
    """
    size, at = varints.read(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length = tag >> 2
            if length >= 60:
                more = length - 59
                length = int.from_bytes(data[at : at + more], "little")
                at += more
            out += data[at : at + length + 1]
            at += length + 1
            continue
        if tag & 3 == 1:
            length, back = (tag >> 2 & 7) + 4, tag >> 5 << 8 | data[at]
            at += 1
        else:
            width = 2 if tag & 3 == 2 else 4
            length, back = (tag >> 2) + 1, int.from_bytes(data[at : at + width], "little")
            at += width
        if not 0 < back <= len(out):
            raise Damaged("a compressed block refers to bytes in front of it")
        start = len(out) - back
        if back >= length:
            out += out[start : start + length]
        else:
            out += (bytes(out[start:]) * (length // back + 1))[:length]
        if len(out) > size:
            break
    if len(out) != size:
        raise Damaged("a compressed block has another size than it says")
    return bytes(out)
