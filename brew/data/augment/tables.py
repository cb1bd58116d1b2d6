"""Changes of bytes that a table of 256 describes, and statistics of images that such tables come from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .view import Bytes, as_bytes

Table = npt.NDArray[np.uint8]
_ALL = np.arange(256)


def inverted(image: Bytes) -> Bytes:
    return 255 - image


def posterized(image: Bytes, bits: int) -> Bytes:
    """The highest bits of every byte alone."""
    return image & np.uint8(256 - (1 << (8 - bits)))


def reduced(image: Bytes) -> Bytes:
    """Four levels, each in the middle of its quarter, as SSD's posterize has it."""
    return (image & np.uint8(192)) + np.uint8(32)


def solarized(image: Bytes, threshold: float) -> Bytes:
    """Bytes from the threshold on are inverted."""
    changed: Bytes = np.where(image >= threshold, 255 - image, image)
    return changed


def scaled(image: Bytes, factor: float, summand: float = 0.0) -> Bytes:
    return as_bytes(_ALL * factor + summand)[image]


def equalized(plane: Bytes) -> Bytes:
    """Of one channel, as OpenCV's equalizeHist: the darkest level becomes 0, the others follow their share."""
    counts = np.bincount(plane.reshape(-1), minlength=256)
    first = int(np.argmax(counts > 0))
    if counts[first] == plane.size:
        return plane
    sums = np.cumsum(counts) - counts[first]
    scale = np.float32(255) / np.float32(plane.size - counts[first])
    return as_bytes(sums.astype(np.float32) * scale)[plane]


def stretched(plane: Bytes) -> Bytes:
    """Of one channel: its darkest level becomes 0, its brightest 255."""
    low, high = int(plane.min()), int(plane.max())
    return plane if low == high else scaled(plane, 255 / (high - low), -low * 255 / (high - low))


def tiled_equalized(plane: Bytes, limit: float = 4.0, tiles: int = 8) -> Bytes:
    """Of one channel, as OpenCV's CLAHE: each of 8 x 8 tiles equalised, with a limit to the slope, blended between."""
    rows, columns = plane.shape
    more = [(0, -size % tiles) for size in (rows, columns)]
    padded = np.pad(plane, more, mode="reflect" if min(plane.shape) > tiles else "symmetric")
    height, width = padded.shape[0] // tiles, padded.shape[1] // tiles
    tables = np.stack([
        _limited(padded[i * height : (i + 1) * height, j * width : (j + 1) * width], limit)
        for i in range(tiles) for j in range(tiles)
    ]).reshape(tiles, tiles, 256).astype(np.float32)  # fmt: skip
    (above, below, y), (left, right, x) = _between(rows, height, tiles), _between(columns, width, tiles)
    one, y = np.float32(1), y[:, None]
    upper = tables[above[:, None], left, plane] * (one - x) + tables[above[:, None], right, plane] * x
    lower = tables[below[:, None], left, plane] * (one - x) + tables[below[:, None], right, plane] * x
    return as_bytes(upper * (one - y) + lower * y)


def _limited(tile: Bytes, limit: float) -> Table:
    counts = np.bincount(tile.reshape(-1), minlength=256)
    most = max(int(limit * tile.size / 256), 1)
    beyond = int(np.maximum(counts - most, 0).sum())
    counts = np.minimum(counts, most) + beyond // 256
    rest = beyond % 256
    if rest:
        counts[: rest * max(256 // rest, 1) : max(256 // rest, 1)] += 1
    scale = np.float32(255) / np.float32(tile.size)
    return as_bytes(np.cumsum(counts).astype(np.float32) * scale)


def _between(
    size: int, tile: int, tiles: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """The tiles before and behind each pixel, and its way from the first to the second."""
    at = np.arange(size, dtype=np.float32) * np.float32(1 / tile) - np.float32(0.5)
    first = np.floor(at)
    number = first.astype(np.intp)
    return number.clip(0), (number + 1).clip(max=tiles - 1), at - first
