"""A cursor over protobuf's wire format that copies nothing: fields come as spans, runs of floats as views.

Encoding: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from typing import Any

import numpy as np

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)

_FIXED = {FIXED64: 8, FIXED32: 4}
_FLOATS = {FIXED64: np.dtype("<f8"), FIXED32: np.dtype("<f4")}

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]


class Malformed(Exception):
    """Bytes that are no message; the text has the error and the byte."""


class Cursor:
    """Steps through the fields of the message in `buffer[at:end]`.

    After `step()` returned True, `number` and `wire` tell the field; a varint's value is in `value`, and of
    everything else the payload lies in `buffer[start:at]`.
    """

    __slots__ = ("at", "buffer", "end", "number", "start", "value", "wire")

    def __init__(self, buffer: memoryview, at: int, end: int) -> None:
        self.buffer, self.at, self.end = buffer, at, end
        self.number = self.wire = self.value = self.start = 0

    def step(self) -> bool:
        """Go to the next field, skipping groups; False at the end of the message, Malformed for anything else."""
        while self.at < self.end:
            self._tag()
            if self.wire == GROUP:
                self._skip_group()
                continue
            self._payload()
            return True
        return False

    def inside(self) -> Cursor:
        """A cursor over the current field's own message."""
        return Cursor(self.buffer, self.start, self.at)

    def text(self) -> str:
        """The current field as a string; bytes that are not UTF-8 are replaced."""
        return bytes(self.buffer[self.start : self.at]).decode("utf-8", "replace")

    def floats(self, double: bool = False) -> Floats:
        """The current field, packed or one value per tag, as a view of float32 or float64 values.

        Of values with a tag each, the whole run is taken and the cursor stands behind it.
        """
        if self.wire == BYTES:
            return self.inside().view(np.dtype("<f8" if double else "<f4"))
        return self._run()

    def view(self, dtype: np.dtype[Any]) -> Floats:
        """All bytes up to the cursor as values of `dtype`; Malformed where that is not a whole number."""
        size = self.end - self.at
        count, rest = divmod(size, dtype.itemsize)
        if rest:
            raise Malformed(f"byte {self.at}: {size} bytes are no whole number of {dtype.name} values")
        return np.frombuffer(self.buffer, dtype, count, self.at) if count else np.empty(0, dtype)

    def varints(self, most: int) -> list[int]:
        """The current field, packed or one varint, as numbers; no more than `most` are read."""
        if self.wire == VARINT:
            return [self.value]
        numbers: list[int] = []
        packed = self.inside()
        while packed.at < packed.end and len(numbers) < most:
            numbers.append(packed._varint())
        return numbers

    def _run(self) -> Floats:
        """All following values whose tag is the current one; the pieces examined double, so the cost is linear."""
        dtype = _FLOATS[self.wire]
        tag = bytes(self.buffer[self.start - 1 : self.start])[0]  # numbers below 16: a tag of one byte
        record = np.dtype([("tag", "u1"), ("value", dtype)])
        first = at = self.start - 1
        piece = 16
        while True:
            count = min(piece, (self.end - at) // record.itemsize)
            tags = np.frombuffer(self.buffer, record, count, at)["tag"] if count else np.empty(0, "u1")
            other = np.flatnonzero(tags != tag)
            at += (int(other[0]) if other.size else count) * record.itemsize
            if other.size or count < piece:
                break
            piece *= 2
        self.at = at
        total = (at - first) // record.itemsize
        values: Floats = np.frombuffer(self.buffer, record, total, first)["value"]
        return values

    def _tag(self) -> None:
        at = self.at
        tag = self._varint()
        self.number, self.wire = tag >> 3, tag & 7
        if not 0 < self.number < 1 << 29 or self.wire > FIXED32:
            raise Malformed(f"byte {at}: no field begins here")

    def _payload(self) -> None:
        if self.wire == VARINT:
            self.value = self._varint()
            return
        if self.wire == GROUP_END:
            raise Malformed(f"byte {self.at}: a group ends that never began")
        size = self._varint() if self.wire == BYTES else _FIXED[self.wire]
        self.start = self.at
        if size > self.end - self.at:
            raise Malformed(f"byte {self.at}: field {self.number} needs {size} bytes, {self.end - self.at} are left")
        self.at += size

    def _skip_group(self) -> None:
        """Groups are gone from Caffe's schema; a fork's are walked over, without recursion."""
        open_groups = [self.number]
        while open_groups:
            if self.at >= self.end:
                raise Malformed(f"byte {self.at}: group {open_groups[-1]} has no end")
            self._tag()
            if self.wire == GROUP:
                open_groups.append(self.number)
            elif self.wire == GROUP_END:
                if open_groups.pop() != self.number:
                    raise Malformed(f"byte {self.at}: group {self.number} ends inside another")
            else:
                self._payload()

    def _varint(self) -> int:
        buffer, at, end = self.buffer, self.at, self.end
        value = shift = 0
        while at < end and shift < 70:
            byte = buffer[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.at = at
                return value & 0xFFFF_FFFF_FFFF_FFFF
            shift += 7
        raise Malformed(f"byte {self.at}: a number does not end" + ("" if at < end else " before the message does"))


def signed(value: int) -> int:
    """A varint as the two's complement of 64 bits it stands for in int32 and int64 fields."""
    return value - (1 << 64) if value >> 63 else value
