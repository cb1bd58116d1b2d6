"""Pixels as the bytes of an image file, with the settings of OpenCV's imencode, by which Caffe's programs write them.

JPEG files are the same to the byte, for both ask libjpeg-turbo for the same; of the others, which lose nothing, the
pixels are.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError, did_you_mean

_JPEG: tuple[str, dict[str, Any]] = ("JPEG", {"quality": 95})
_TIFF: tuple[str, dict[str, Any]] = ("TIFF", {"compression": "tiff_lzw"})
_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpg": _JPEG, "jpeg": _JPEG, "jpe": _JPEG, "png": ("PNG", {"compress_level": 1}), "bmp": ("BMP", {}),
    "dib": ("BMP", {}), "tif": _TIFF, "tiff": _TIFF, "webp": ("WEBP", {"lossless": True}), "ppm": ("PPM", {}),
    "pgm": ("PPM", {}),
}  # fmt: skip


def check_ending(ending: str) -> None:
    """UsageError where no image can be written as files of this ending, which stands without its dot."""
    if ending.lower() not in _KINDS:
        hint = did_you_mean(ending, _KINDS) or f"known are {', '.join(_KINDS)}"
        raise UsageError(f'no image is written as ".{ending}"', hint=hint)


def encode(pixels: npt.NDArray[np.uint8], ending: str) -> bytes:
    """A file of the kind that `ending` is the usual one of: `pixels` (channels, height, width), gray or BGR.

    UsageError where there is no such kind.
    """
    from PIL import Image

    check_ending(ending)
    upright = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))
    kind, options = _KINDS[ending.lower()]
    file = io.BytesIO()
    Image.fromarray(upright).save(file, kind, **options)
    return file.getvalue()
