"""BGR bytes (3, rows, columns) to other colour spaces and back, with OpenCV's numbers for bytes."""

from __future__ import annotations

import numpy as np

from .view import Bytes, as_bytes

_BITS = 14  # of fixed-point weights
_HALF = 1 << (_BITS - 1)
_HSV_BITS = 12
# X, Y and Z of linear red, green and blue, over those of white (D65).
_XYZ = (
    (0.412453 / 0.950456, 0.357580 / 0.950456, 0.180423 / 0.950456),
    (0.212671, 0.715160, 0.072169),
    (0.019334 / 1.088754, 0.119193 / 1.088754, 0.950227 / 1.088754),
)


def luma(image: Bytes) -> Bytes:
    """The grey of each pixel, (rows, columns)."""
    blue, green, red = image.astype(np.int32)
    return as_bytes((red * 4899 + green * 9617 + blue * 1868 + _HALF) >> _BITS)


def to_ycrcb(image: Bytes) -> Bytes:
    """Luma, red over luma, blue over luma."""
    blue, _, red = image.astype(np.int32)
    grey = luma(image).astype(np.int32)
    parts = [((x - grey) * weight + (128 << _BITS) + _HALF) >> _BITS for x, weight in ((red, 11682), (blue, 9241))]
    return as_bytes(np.stack([grey, *parts]))


def from_ycrcb(image: Bytes) -> Bytes:
    grey, red, blue = image.astype(np.int32)
    red, blue = red - 128, blue - 128
    parts = [blue * 29049, blue * -5636 + red * -11698, red * 22987]
    return as_bytes(np.stack([grey + ((x + _HALF) >> _BITS) for x in parts]))


def to_hsv(image: Bytes) -> Bytes:
    """Hue from 0 to 179, half degrees; saturation; value."""
    blue, green, red = image.astype(np.int32)
    value = image.max(0).astype(np.int32)
    span = value - image.min(0)
    by_blue = red - green + 4 * span
    hue = np.where(value == red, green - blue, np.where(value == green, blue - red + 2 * span, by_blue))
    numbers = np.arange(1, 256)
    of_value = np.concatenate([[0], np.rint((255 << _HSV_BITS) / numbers)]).astype(np.int64)
    of_span = np.concatenate([[0], np.rint((180 << _HSV_BITS) / (6.0 * numbers))]).astype(np.int64)
    half = 1 << (_HSV_BITS - 1)
    saturation = (span * of_value[value] + half) >> _HSV_BITS
    hue = (hue * of_span[span] + half) >> _HSV_BITS
    return as_bytes(np.stack([hue + 180 * (hue < 0), saturation, value]))


def to_lab(image: Bytes) -> Bytes:
    """L from 0 to 255 for 0 to 100; a and b, with 128 for 0."""
    shares = image[::-1].astype(np.float64) / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    xyz = np.tensordot(np.array(_XYZ), linear, axes=1)
    bent = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    light = np.where(xyz[1] > 0.008856, 116 * np.cbrt(xyz[1]) - 16, 903.3 * xyz[1])
    values = [light * 2.55, 500 * (bent[0] - bent[1]) + 128, 200 * (bent[1] - bent[2]) + 128]
    return as_bytes(np.stack(values))
