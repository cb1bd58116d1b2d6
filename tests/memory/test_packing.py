"""Pieces of an arena get their places."""

from __future__ import annotations

import numpy as np
import pytest

from brew.memory.arena import Piece
from brew.memory.packing import pack

FLOAT = np.dtype(np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_pieces_in_use_together_never_overlap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pieces = []
    for _ in range(60):
        first, last = sorted(rng.integers(0, 40, 2).tolist())
        spans = [(first, last)] + [(79 - last, 79 - first)] * int(rng.integers(2))
        pieces.append(Piece(int(rng.integers(0, 5000)), FLOAT, spans))
    total = pack(pieces)
    for i, a in enumerate(pieces):
        assert a.offset % 16 == 0 and a.end <= total
        for b in pieces[:i]:
            together = any(s[0] <= t[1] and t[0] <= s[1] for s in a.spans for t in b.spans)
            assert not (together and a.size and b.size and a.overlaps(b))
    live = max(sum(p.size for p in pieces if any(f <= t <= e for f, e in p.spans)) for t in range(80))
    assert live <= total < 1.5 * live
