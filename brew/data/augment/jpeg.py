"""Images compressed as JPEG and decoded: the marks of it, for nets that will meet them."""

from __future__ import annotations

import io

import numpy as np

from brew.proto.brew_pb2 import JpegParameter

from .draws import Draw
from .view import Bytes


def drawn(param: JpegParameter, draw: Draw) -> int:
    """The quality for a record, 0 where it is left alone."""
    acts, quality = draw.chance(param.prob), draw.between(param.quality_lower, param.quality_upper)
    return quality if acts else 0


def compressed(image: Bytes, quality: int) -> Bytes:
    """`image` (channels, rows, columns) after JPEG of this quality, by Pillow; channels beyond three stay."""
    from PIL import Image as images

    colour = len(image) >= 3
    pixels = np.ascontiguousarray(image[2::-1].transpose(1, 2, 0)) if colour else image[0]
    file = io.BytesIO()
    images.fromarray(pixels).save(file, "JPEG", quality=quality)
    with images.open(file, formats=("JPEG",)) as decoded:
        found = np.asarray(decoded)
    changed = image.copy()
    changed[: 3 if colour else 1] = found.transpose(2, 0, 1)[::-1] if colour else found
    return changed
