"""Whether a binary file begins as weights or a solver state do, even if it is damaged further on."""

from __future__ import annotations

from pathlib import Path

from brew.files.signatures import noun_of

from .cursor import BYTES, VARINT, Cursor, Malformed
from .stored import mapped

_LOOKED_AT = 2  # fields
_OURS = 10_000  # field numbers from here on are Brew's own

# Field and wire type: NetParameter's and SolverState's.
_NET = {(1, BYTES), (2, BYTES), (3, BYTES), (4, BYTES), (4, VARINT), (5, VARINT), (6, BYTES), (7, VARINT), (8, BYTES)}
_NET |= {(100, BYTES)}
_STATE = {(1, VARINT), (2, BYTES), (3, BYTES), (4, VARINT)}


def begins_as_weights(path: str | Path) -> bool:
    """Whether the file begins as a .caffemodel of any age does; WeightsError where it cannot be read."""
    return _begins(path, _NET)


def begins_as_state(path: str | Path) -> bool:
    """Whether the file begins as a binary .solverstate does; WeightsError where it cannot be read."""
    return _begins(path, _STATE)


def _begins(path: str | Path, fields: set[tuple[int, int]]) -> bool:
    buffer = mapped(path, "a binary file")
    if noun_of(bytes(buffer[:512])) is not None:
        return False
    cursor = Cursor(buffer, 0, len(buffer))
    try:
        for number in range(_LOOKED_AT):
            if not cursor.step():
                return number > 0
            if (cursor.number, cursor.wire) not in fields and (number == 0 or cursor.number < _OURS):
                return False
    except Malformed:
        return False
    return True
