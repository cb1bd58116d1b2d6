"""Which pictures are nearly the same: such pairs must not stand on both sides of a division.

A picture's signature is its brightness in 16 x 16 squares, which saving it again, scaling it or brightening it hardly
changes. Candidates are found by a hash of 64 bits (is a square brighter than the next one?) in four bands of 16:
pictures alike in one band, compared with the next few in the order of their hashes. Signatures then decide. The time is
proportional to the number of pictures, whatever they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Signatures: TypeAlias = npt.NDArray[np.uint8]

SIDE = 16
SIZE = SIDE * SIDE  # bytes of a signature
_BITS = 6  # that hashes of candidates may differ in
_LEVELS = 5.0  # of 255: the mean difference of two signatures, each brought to the mean 0, that are nearly the same
_NEXT = 48  # pictures of a band that each is compared with
_AT_ONCE = 1 << 16


def signature(pixels: npt.NDArray[Any]) -> Signatures:
    """The signature of a picture (channels, height, width): SIZE bytes."""
    gray = pixels[:3].mean(axis=0, dtype=np.float32) if len(pixels) > 1 else pixels[0].astype(np.float32)
    for axis in (0, 1):
        gray = _squares(gray, axis)
    squares: Signatures = np.rint(gray).clip(0, 255).astype(np.uint8).ravel()
    return squares


def _squares(values: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    """Means over SIDE equal pieces of an axis; a short axis is repeated first."""
    length = values.shape[axis]
    if length % SIDE and length < 4 * SIDE:
        values = np.repeat(values, SIDE, axis)
        length *= SIDE
    edges = np.linspace(0, length, SIDE + 1).astype(np.intp)
    sums = np.add.reduceat(values, edges[:-1], axis)
    counts = np.diff(edges).reshape((-1, 1) if axis == 0 else (1, -1))
    means: npt.NDArray[np.float32] = (sums / counts).astype(np.float32)
    return means


def pairs(signatures: Signatures) -> Iterator[tuple[int, int]]:
    """Pairs of rows of `signatures` (pictures, SIZE) that are nearly the same; a chain of pairs joins each group."""
    hashes = _hashes(signatures)
    for band in range(4):
        keys = hashes >> np.uint64(16 * band) & np.uint64(0xFFFF)
        order = np.lexsort((hashes, keys))
        keys, sorted_hashes = keys[order], hashes[order]
        for step in range(1, min(_NEXT, len(order) - 1) + 1):
            near = (keys[step:] == keys[:-step]) & (
                np.bitwise_count(sorted_hashes[step:] ^ sorted_hashes[:-step]) <= _BITS
            )
            found = np.flatnonzero(near)
            first, second = order[found], order[found + step]
            alike = _alike(signatures, first, second)
            yield from zip(first[alike].tolist(), second[alike].tolist(), strict=True)


def _hashes(signatures: Signatures) -> npt.NDArray[np.uint64]:
    """64 bits for each signature: of 8 x 9 squares, whether each is brighter than the next one of its row."""
    hashes = np.empty(len(signatures), np.uint64)
    columns = np.linspace(0, SIDE, 9, endpoint=False).astype(np.intp)
    for start in range(0, len(signatures), _AT_ONCE):
        some = signatures[start : start + _AT_ONCE].reshape(-1, SIDE, SIDE).astype(np.float32)
        rows = some.reshape(-1, 8, 2, SIDE).mean(axis=2)
        nine = np.add.reduceat(rows, columns, axis=2) / np.diff([*columns, SIDE])
        bits = (nine[:, :, :-1] > nine[:, :, 1:]).reshape(-1, 64)
        hashes[start : start + _AT_ONCE] = np.packbits(bits, axis=1).view(np.uint64).ravel()
    return hashes


def _alike(signatures: Signatures, first: npt.NDArray[np.intp], second: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    alike = np.zeros(len(first), np.bool_)
    for start in range(0, len(first), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        one, other = (signatures[numbers[some]].astype(np.float32) for numbers in (first, second))
        difference = (one - one.mean(axis=1, keepdims=True)) - (other - other.mean(axis=1, keepdims=True))
        alike[some] = np.abs(difference).mean(axis=1) <= _LEVELS
    return alike
