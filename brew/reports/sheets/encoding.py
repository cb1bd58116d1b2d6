"""Pictures brought to the size of a frame, and as bytes of image files, through Pillow."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from .colours import RGB

if TYPE_CHECKING:
    from PIL.Image import Image

_PHOTO = 64  # pixels a side, from which a picture in colours is embedded as JPEG


def scaled(pixels: RGB, width: int, height: int) -> Image:
    """A picture of this size: one that grows by a whole number keeps its pixels as squares, others are smooth."""
    from PIL import Image as images

    image = images.fromarray(pixels)
    if (image.width, image.height) == (width, height):
        return image
    how = images.Resampling.NEAREST if is_whole(pixels, width) else images.Resampling.LANCZOS
    return image.resize((width, height), how)


def is_whole(pixels: RGB, width: float) -> bool:
    """Whether a picture of this width has a whole number of pixels for each of `pixels`."""
    return bool(width >= pixels.shape[1] and width % pixels.shape[1] == 0)


def data_uri(pixels: RGB, most: int) -> str:
    """A picture for a page: as it is, or brought to `most` pixels a side where it is larger; JPEG for photographs."""
    height, width = pixels.shape[:2]
    share = min(1.0, most / max(height, width))
    image = scaled(pixels, max(1, round(width * share)), max(1, round(height * share)))
    gray = bool((pixels[..., :1] == pixels).all())
    out = io.BytesIO()
    if min(height, width) >= _PHOTO and not gray:
        image.save(out, "JPEG", quality=88)
        return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()
    (image.convert("L") if gray else image).save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
