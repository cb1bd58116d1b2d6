"""Where pieces of an arena lie, so that those in use together never share a byte, and few bytes are taken in all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from brew.layer.layout import ALIGN

from .arena import Piece

_MOST = 1 << 61  # elements, in places of 64 bits
_MOST_SPANS = 3  # that a piece has
_NEVER = (np.iinfo(np.int64).max, -1)  # a span that meets no other


def pack(pieces: Sequence[Piece]) -> int:
    """Set the offsets of pieces of one type; none in use together share an element. Returns the elements of all.

    The largest first, each into the smallest gap that it fits ("greedy by size", Pisarchyk and Lee, Efficient Memory
    Management for Deep Neural Net Inference, 2020).
    """
    together = sum(piece.size for piece in pieces)
    if together > _MOST:
        return together  # more than there is: nothing will be allocated
    line = ALIGN // pieces[0].dtype.itemsize if pieces else 1  # elements of a cache line
    order = sorted(pieces, key=lambda p: (-p.size, p.spans[0]))
    padded = [([*p.spans] + [_NEVER] * _MOST_SPANS)[:_MOST_SPANS] for p in order]
    spans = np.array(padded, np.int64).reshape(-1, _MOST_SPANS, 2)
    low, high = np.zeros(len(order), np.int64), np.zeros(len(order), np.int64)
    for i, piece in enumerate(order):
        before, mine = spans[:i, :, None], spans[i]
        meets = ((before[..., 0] <= mine[:, 1]) & (before[..., 1] >= mine[:, 0])).any(axis=(1, 2))
        size = -(-piece.size // line) * line
        low[i] = piece.offset = _gap(low[:i][meets], high[:i][meets], size)
        high[i] = low[i] + size
    return int(high.max(initial=0))


def pack_rows(rows: Iterable[Sequence[Piece]]) -> int:
    """As `pack`, with the elements of all; the pieces of a row are used one after the other and lie in one place."""
    whole = {}
    for row in rows:
        spans = [(row[0].spans[0][0], row[-1].spans[0][1])] if len(row) > 1 else row[0].spans
        whole[Piece(max(piece.size for piece in row), row[0].dtype, spans)] = row
    size = pack(list(whole))
    for place, row in whole.items():
        for piece in row:
            piece.offset = place.offset
    return size


def _gap(low: npt.NDArray[np.int64], high: npt.NDArray[np.int64], size: int) -> int:
    """The offset for `size` elements beside what is taken from `low` to `high`: the tightest gap, else behind all."""
    order = np.argsort(low)
    low, ends = low[order], np.maximum.accumulate(high[order])
    starts = np.concatenate([np.zeros(1, np.int64), ends])
    gaps = low - starts[:-1]
    fits = np.flatnonzero(gaps >= size)
    return int(starts[fits[gaps[fits].argmin()]] if fits.size else starts[-1])
