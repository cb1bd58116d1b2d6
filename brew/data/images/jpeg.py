"""The door to simplejpeg: libjpeg-turbo without Pillow around it (the `jpeg` extra).

Its pixels are those of Pillow bit for bit, for both ask libjpeg-turbo for the same; what it will not decode without a
remark goes to Pillow, which has the last word.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .header import Header

_MOST = 1 << 26  # pixels; Pillow judges larger ones, and knows bombs


@cache
def library() -> Any | None:
    """simplejpeg; None where it is not installed."""
    try:
        import simplejpeg
    except ImportError:
        return None
    return simplejpeg


def decode(data: bytes | memoryview, header: Header, *, gray: bool, shrink: int = 1) -> npt.NDArray[np.uint8] | None:
    """(height, width, channels) of a JPEG: 1, gray, or 3, BGR; None where Pillow is to decode it.

    With `shrink` 2, 4 or 8 each side is that much smaller, rounded up, which is decoded faster.
    """
    found = library()
    if found is None or header.bits != 8 or header.channels not in (1, 3) or header.height * header.width > _MOST:
        return None
    try:
        pixels: npt.NDArray[np.uint8] = found.decode_jpeg(
            data, "GRAY" if gray else "BGR",
            min_height=-(-header.height // shrink), min_width=-(-header.width // shrink), min_factor=shrink,
        )  # fmt: skip
    except (ValueError, RuntimeError, MemoryError):
        return None
    return pixels
