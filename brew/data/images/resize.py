"""Bilinear resizing of images of bytes, bit for bit as OpenCV's INTER_LINEAR, with which Caffe's nets were trained.

Pixel centres are aligned, shrinking does not average (no antialias), weights are fixed-point with 11 bits, and of the
two passes the vertical one drops low bits on its way. Halving both sides is the mean of 2 x 2 pixels.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
_Indices: TypeAlias = npt.NDArray[np.intp]
_Weights: TypeAlias = npt.NDArray[np.int32]

_ONE = 1 << 11  # weight 1.0


def resize(image: Bytes, height: int, width: int) -> Bytes:
    """`image` (channels, rows, columns; none of them 0) as (channels, height, width), both at least 1."""
    rows, columns = image.shape[1:]
    if (rows, columns) == (height, width):
        return image
    if (rows, columns) == (2 * height, 2 * width):
        return _halved(image)
    left, right, weights = _horizontal(columns, width)
    upper, lower, shares = _vertical(rows, height)
    used, place = np.unique(np.concatenate([upper, lower]), return_inverse=True)  # shrinking skips rows
    neighbours = np.take(np.take(image, used, 1), np.concatenate([left, right]), 2)
    lines = np.multiply(neighbours[:, :, :width], weights[0], dtype=np.int32)
    lines += np.multiply(neighbours[:, :, width:], weights[1], dtype=np.int32)
    lines >>= 4
    mixed = _weighed(lines, place[:height], shares[0])
    mixed += _weighed(lines, place[height:], shares[1])
    mixed += 2
    mixed >>= 2
    return mixed.astype(np.uint8)


def _weighed(lines: npt.NDArray[np.int32], rows: _Indices, shares: _Weights) -> npt.NDArray[np.int32]:
    """Those of `lines`, each with its share, without the bits that OpenCV drops."""
    chosen: npt.NDArray[np.int32] = np.take(lines, rows, 1)
    chosen *= shares[:, None]
    chosen >>= 16
    return chosen


def _halved(image: Bytes) -> Bytes:
    channels, rows, columns = image.shape
    fours: npt.NDArray[np.uint16] = image.reshape(channels, rows // 2, 2, columns // 2, 2).sum((2, 4), np.uint16)
    means: Bytes = (fours + np.uint16(2) >> np.uint16(2)).astype(np.uint8)
    return means


def _centres(size: int, target: int) -> tuple[_Indices, npt.NDArray[np.float32]]:
    """Where the target's pixel centres fall: the source pixel before each, and the fraction (float32) beyond it."""
    step = 1 / (target / size)
    at = ((np.arange(target) + 0.5) * step - 0.5).astype(np.float32)
    before = np.floor(at)
    return before.astype(np.intp), at - before


def _weights(fraction: npt.NDArray[np.float32]) -> _Weights:
    """The weights of the two neighbours, each rounded by itself (half to even)."""
    one = np.float32(1)
    return np.rint(np.stack([one - fraction, fraction]) * np.float32(_ONE)).astype(np.int32)


def _horizontal(size: int, target: int) -> tuple[_Indices, _Indices, _Weights]:
    """Outside of the image the edge pixel counts alone."""
    left, fraction = _centres(size, target)
    fraction[(left < 0) | (left >= size - 1)] = 0
    left = left.clip(0, size - 1)
    return left, np.minimum(left + 1, size - 1), _weights(fraction)


def _vertical(size: int, target: int) -> tuple[_Indices, _Indices, _Weights]:
    """Outside of the image both neighbours are the edge row, each with its weight (it shows in the dropped bits)."""
    upper, fraction = _centres(size, target)
    return upper.clip(0, size - 1), (upper + 1).clip(0, size - 1), _weights(fraction)
