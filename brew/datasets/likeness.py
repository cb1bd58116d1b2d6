"""Which pictures are nearly the same: such pairs must not stand on both sides of a division.

A picture's signature is its brightness in 16 x 16 squares, which saving it again, scaling it or brightening it hardly
changes. Candidates are found by a hash of 64 bits (is a square brighter than the next one?) in four bands of 16:
pictures alike in one band, compared with the next few in the order of their hashes. Signatures then decide. The time is
proportional to the number of pictures, whatever they are.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Signatures: TypeAlias = npt.NDArray[np.uint8]

SIDE = 16
SIZE = SIDE * SIDE  # bytes of a signature
_BRIGHTNESS = np.array([0.114, 0.587, 0.299], np.float32)  # of blue, green, red
_BITS = 12  # that hashes of candidates may differ in
# Two signatures, each brought to the mean 0, are nearly the same where their mean difference is up to so many levels of
# 255, and up to this share of what either of them differs from gray by: a small bird in a sky is not another one.
_LEVELS, _SHARE = 10.0, 0.25
_NOISE = 1.0  # levels that make no difference
_TOGETHER = 32  # pictures
_NEXT = 24  # pictures of a band that each is compared with
_AT_ONCE = 1 << 14


def signature(pixels: npt.NDArray[Any]) -> Signatures:
    """The signature of a picture (channels, height, width): SIZE bytes."""
    gray = np.tensordot(_BRIGHTNESS, pixels[:3], 1) if len(pixels) > 2 else pixels[0].astype(np.float32)
    for axis in (0, 1):
        gray = _squares(gray, axis)
    squares: Signatures = np.rint(gray).clip(0, 255).astype(np.uint8).ravel()
    return squares


def _squares(values: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.float32]:
    """Means over SIDE equal pieces of an axis; a short axis is repeated first."""
    length = values.shape[axis]
    if length % SIDE == 0:
        parts = (SIDE, length // SIDE, -1) if axis == 0 else (-1, SIDE, length // SIDE)
        even: npt.NDArray[np.float32] = values.reshape(parts).mean(axis=1 if axis == 0 else 2)
        return even
    if length < 4 * SIDE:
        values = np.repeat(values, SIDE, axis)
        length *= SIDE
    edges = np.linspace(0, length, SIDE + 1).astype(np.intp)
    sums = np.add.reduceat(values, edges[:-1], axis)
    counts = np.diff(edges).reshape((-1, 1) if axis == 0 else (1, -1))
    means: npt.NDArray[np.float32] = (sums / counts).astype(np.float32)
    return means


def pairs(signatures: Signatures) -> list[tuple[int, int]]:
    """Pairs of rows of `signatures` (pictures, SIZE) that must not be parted; a chain of pairs joins each group.

    The same pictures stay together, however many. Nearly the same ones do, the most alike first, in groups of up to
    _TOGETHER: of digits or letters a chain would else lead to most of a class.
    """
    first, second, difference = _near(signatures)
    parent = np.arange(len(signatures))
    size = np.ones(len(signatures), np.intp)

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    kept = []
    order = np.lexsort((second, first, difference))
    for one, other, levels in zip(
        first[order].tolist(), second[order].tolist(), difference[order].tolist(), strict=True
    ):
        low, high = sorted((root(one), root(other)))
        if low != high and (levels <= _NOISE or size[low] + size[high] <= _TOGETHER):
            parent[high] = low
            size[low] += size[high]
            kept.append((one, other))
    return kept


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


def _near(signatures: Signatures) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """The pairs that are nearly the same, as numbers of rows, and their differences in levels."""
    hashes, coarse, most = _hashes(signatures), *_coarse(signatures)
    near: list[tuple[npt.NDArray[Any], ...]] = []
    for band in range(4):
        keys = hashes >> np.uint64(16 * band) & np.uint64(0xFFFF)
        order = np.lexsort((hashes, keys))
        keys, ordered = keys[order], hashes[order]
        for step in range(1, min(_NEXT, len(order) - 1) + 1):
            differing = np.bitwise_count(ordered[step:] ^ ordered[:-step])
            found = np.flatnonzero((keys[step:] == keys[:-step]) & (differing <= _BITS))
            for start in range(0, len(found), _AT_ONCE):
                first, second = order[found[start : start + _AT_ONCE]], order[found[start : start + _AT_ONCE] + step]
                limit = np.minimum(most[first], most[second])
                likely = np.abs(coarse[first] - coarse[second]).mean(axis=1) <= limit
                near.append(_alike(signatures, first[likely], second[likely], limit[likely]))
    if not near:
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32)
    first, second, difference = (np.concatenate(column) for column in zip(*near, strict=True))
    return first, second, difference


def _coarse(signatures: Signatures) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Of each signature: its 4 x 4 squares, brought to the mean 0, and the most that it may differ from another by.

    The mean difference of 4 x 4 squares is no more than that of the 16 x 16 in them.
    """
    coarse = np.empty((len(signatures), 16), np.float32)
    most = np.empty(len(signatures), np.float32)
    for start in range(0, len(signatures), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        values = _centred(signatures[some])
        most[some] = np.clip(_SHARE * np.abs(values).mean(axis=1), _NOISE, _LEVELS)
        coarse[some] = values.reshape(-1, 4, 4, 4, 4).mean(axis=(2, 4)).reshape(-1, 16)
    return coarse, most


def _alike(
    signatures: Signatures,
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
    limit: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[Any], ...]:
    """Those of the candidates that differ by no more than `limit`, and their differences."""
    difference = np.abs(_centred(signatures[first]) - _centred(signatures[second])).mean(axis=1)
    alike = difference <= limit
    return first[alike], second[alike], difference[alike]


def _centred(signatures: Signatures) -> npt.NDArray[np.float32]:
    values = signatures.astype(np.float32)
    centred: npt.NDArray[np.float32] = values - values.mean(axis=1, keepdims=True)
    return centred
