"""Large arrays taken a piece at a time on the CPU, so that what lies between two steps stays in cache."""

from __future__ import annotations

from collections.abc import Iterator

from .fold import Fold

PIECE = 1 << 15  # elements


def pieces(size: int, length: int = PIECE) -> Iterator[slice]:
    """Slices of at most `length` that cover range(size), in order.

    >>> list(pieces(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, size, length):
        yield slice(start, min(start + length, size))


def fold_piece(folded: Fold) -> tuple[int, int]:
    """How many of outer and of dim a piece of a folded blob takes; at least one of each."""
    items = max(1, PIECE // max(1, folded.dim * folded.inner))
    rows = max(1, PIECE // max(1, folded.inner))
    return max(1, min(items, folded.outer)), max(1, min(rows, folded.dim))


def fold_pieces(folded: Fold) -> Iterator[tuple[slice, slice]]:
    """Slices of outer and dim that cover a folded blob."""
    items, rows = fold_piece(folded)
    for outer in pieces(folded.outer, items):
        for dim in pieces(folded.dim, rows):
            yield outer, dim
