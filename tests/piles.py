"""Pictures of noise, for piles of files."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def encoded(seed: int = 0, size: tuple[int, int] = (8, 6), form: str = "PNG", mode: str = "RGB") -> bytes:
    """A picture of noise as the bytes of a file; `size` is (width, height)."""
    rng = np.random.default_rng(seed)
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], len(mode))
    out = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, shape, np.uint8), mode).save(out, form)
    return out.getvalue()
