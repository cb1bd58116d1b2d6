"""One blob of a file: its values as a view, once they agree with its shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .cursor import BYTES, FIXED32, FIXED64, VARINT, Cursor, Floats, Malformed, signed
from .stored import StoredBlob

MOST_AXES = 32  # Caffe's limit
_MOST_VALUES = 2**56  # NumPy refuses shapes from about here on, even without a value
# NVIDIA Caffe's enum Type
_RAW_TYPES: dict[int, np.dtype[Any]] = {0: np.dtype("<f8"), 1: np.dtype("<f4"), 2: np.dtype("<f2")}


def stored_blob(cursor: Cursor) -> StoredBlob:
    """The BlobProto under `cursor`; Malformed where shape and values disagree."""
    found = _Blob()
    found.read(cursor)
    return found.stored()


@dataclass(slots=True)
class _Blob:
    """The fields found of a BlobProto, by number."""

    numbers: dict[int, int] = field(default_factory=dict)  # num, channels, height, width; the two raw types
    dims: list[int] = field(default_factory=list)
    values: dict[int, list[Floats]] = field(default_factory=dict)  # data, diff, double_data, double_diff
    raw: dict[int, Cursor] = field(default_factory=dict)  # raw_data, raw_diff

    def read(self, cursor: Cursor) -> None:
        """Walk the message; the shape's length is checked on the way."""
        while cursor.step():
            number, wire = cursor.number, cursor.wire
            if wire == VARINT and number in (1, 2, 3, 4, 10, 11):
                self.numbers[number] = signed(cursor.value)
            elif (wire in (BYTES, FIXED32) and number in (5, 6)) or (wire in (BYTES, FIXED64) and number in (8, 9)):
                self.values.setdefault(number, []).append(cursor.floats(double=number > 6))
            elif wire == BYTES and number == 7:
                self._read_shape(cursor.inside())
            elif wire == BYTES and number in (12, 13):
                self.raw[number] = cursor.inside()

    def _read_shape(self, cursor: Cursor) -> None:
        while cursor.step():
            if cursor.number == 1 and cursor.wire in (BYTES, VARINT):
                self.dims += map(signed, cursor.varints(MOST_AXES + 1))
            if len(self.dims) > MOST_AXES:
                raise Malformed(f"its shape has more than {MOST_AXES} axes")

    def stored(self) -> StoredBlob:
        """The blob, once the shape agrees with the number of values."""
        legacy = any(number in self.numbers for number in (1, 2, 3, 4))
        shape = tuple(self.numbers.get(n, 0) for n in (1, 2, 3, 4)) if legacy else tuple(self.dims)
        shown = "x".join(map(str, shape)) or "()"
        if any(dim < 0 for dim in shape):
            raise Malformed(f"its shape {shown} has a negative axis")
        if math.prod(dim or 1 for dim in shape) > _MOST_VALUES:
            raise Malformed(f"its shape {shown} is beyond any memory")
        count = math.prod(shape)
        data, diff = self._values(8, 5, 12), self._values(9, 6, 13)
        for values, said in ((data, "stored"), (diff, "stored as its gradient")):
            if values.size != count and (values is data or values.size):
                raise Malformed(f"shape {shown} has {count} values, {values.size} are {said}")
        return StoredBlob(shape, legacy, data, diff if diff.size else None)

    def _values(self, double: int, single: int, raw: int) -> Floats:
        """The first of the three fields that has values: doubles before floats, as Caffe has it."""
        for number in (double, single):
            pieces = [piece for piece in self.values.get(number, ()) if piece.size]
            if pieces:
                values = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
                values.setflags(write=False)
                return values
        if raw not in self.raw:
            return np.empty(0, "<f4")
        kind = self.numbers.get(raw - 2, 0)
        if kind not in _RAW_TYPES:
            raise Malformed(f"its values have type {kind}; double (0), float (1) and float16 (2) are known")
        return self.raw[raw].view(_RAW_TYPES[kind])
