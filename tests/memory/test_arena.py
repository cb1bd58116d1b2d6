"""What lies in the bytes that pieces use in turns, as the moments of a pass go by."""

from __future__ import annotations

import numpy as np
import pytest

from brew.layer.layout import ALIGN
from brew.memory.arena import Arena, Lease, Piece

FLOAT, BYTE = np.dtype(np.float32), np.dtype(np.uint8)


def arena(device: str = "cpu") -> tuple[Arena, list[Lease]]:
    """Two pieces that follow one another in the same bytes, one that stays, and one of another type; six moments."""
    pieces = [
        Piece(16, FLOAT, [(0, 1)], 0),
        Piece(8, FLOAT, [(2, 3)], 8),
        Piece(16, FLOAT, [(0, 5)], 16),
        Piece(3, BYTE, [(0, 5)], 0),
    ]
    made = Arena(pieces, {FLOAT: 32, BYTE: 3}, 6, device)
    return made, [Lease(made, piece) for piece in pieces]


def test_pieces_lie_where_they_are_planned(device: str) -> None:
    made, (first, second, stays, other) = arena(device)
    assert made.bytes == 32 * 4 + 3
    assert [lease.flat().size for lease in (first, second, stays, other)] == [16, 8, 16, 3]
    assert first.flat().dtype == FLOAT and other.flat().dtype == BYTE
    if device == "cpu":
        assert made.flat(FLOAT).ctypes.data % ALIGN == 0
        assert np.shares_memory(first.flat(), second.flat()) and not np.shares_memory(first.flat(), stays.flat())


def test_a_piece_is_intact_until_another_in_its_bytes_is_written() -> None:
    made, (first, second, stays, _) = arena()
    assert not (first.used or first.intact)
    made.ran(0, 2)
    assert first.used and first.intact and stays.intact and not second.intact
    made.ran(2)
    assert second.intact and stays.intact and not first.intact
    made.ran(0)
    assert first.intact and not second.intact


@pytest.mark.parametrize("whole", [False, True])
def test_what_has_run_in_a_pass_is_known(whole: bool) -> None:
    made, (first, *_) = arena()
    for _ in range(2):
        if whole:
            made.ran_turns(0, [0, 1, 1, 2])
        else:
            made.ran(0)
            assert not any(map(made.has_run, range(1, 6)))
            made.ran(1, 2)
            made.ran(3)
        assert [made.has_run(moment) for moment in range(1, 6)] == [True, True, True, False, False]
        assert not first.intact


def test_who_needs_more_than_was_planned_makes_it_stale() -> None:
    made, (first, *_) = arena()
    array = first.array((2, 5))
    assert array is not None and array.shape == (2, 5) and not made.stale
    assert first.array((17,)) is None and made.stale
