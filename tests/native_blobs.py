"""Blobs for the tests of brew.native: in blocks of channels and back, and memory as nets have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from brew.cpu.native.blocked import width


def flat(size: int) -> np.ndarray:
    """Memory as the net's arenas have it, with undefined content."""
    return np.full(size, np.nan, np.float32)


def blocked(x: np.ndarray) -> np.ndarray:
    """In a memory that begins with a vector, as the net's arenas do."""
    n, c, h, w = x.shape
    filled = np.zeros((n, -(-c // width()) * width(), h, w), np.float32)
    filled[:, :c] = x
    found = aligned(filled.size).reshape(n, -1, h, w, width())
    found[...] = filled.reshape(n, -1, width(), h, w).transpose(0, 1, 3, 4, 2)
    return found


def aligned(size: int) -> np.ndarray:
    whole = flat(size + 16)
    start = -whole.ctypes.data % 64 // 4
    return whole[start : start + size]


def plain(x: np.ndarray, channels: int) -> np.ndarray:
    n, _, h, w, _ = x.shape
    whole = x.transpose(0, 1, 4, 2, 3).reshape(n, -1, h, w)
    assert not whole[:, channels:].any(), "what is behind the channels must stay 0"
    return whole[:, :channels]


def run(calls: Sequence[Callable[[], None]]) -> None:
    for call in calls:
        call()


def close(found: np.ndarray, expected: np.ndarray, bound: float = 1e-5) -> None:
    assert np.isfinite(found).all()
    assert abs(found - expected).max() <= bound * abs(expected).max()
