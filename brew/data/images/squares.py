"""Images as squares: the shorter side brought to a length, the middle of the longer one cut out."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from .resize import resize

Bytes = npt.NDArray[np.uint8]

_QUALITY = 75  # of JPEG files, as resize_and_crop_images.py asks Pillow for


def square(pixels: Bytes, side: int) -> Bytes:
    """(channels, height, width) as (channels, side, side), resized as OpenCV does it."""
    height, width = pixels.shape[1:]
    size = (side * height // width, side) if height > width else (side, side * width // height)
    resized = resize(pixels, *size)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    return np.ascontiguousarray(resized[:, top : top + side, left : left + side])


def thumbnail(pixels: Bytes, side: int) -> bytes:
    """A JPEG file of gray or BGR (channels, height, width), resized as resize_and_crop_images.py does it with Pillow.

    A large image is first made smaller by leaving pixels out, then its middle by an average. A smaller one than the
    square stays as small.
    """
    from PIL import Image

    gray = len(pixels) == 1
    image = Image.fromarray(pixels[0] if gray else np.ascontiguousarray(pixels[2::-1].transpose(1, 2, 0)))
    factor = 1
    while image.width // factor > 2 * side and image.height * 2 // factor > 2 * side:
        factor *= 2
    if factor > 1:
        image.thumbnail((image.width // factor, image.height // factor), Image.Resampling.NEAREST)
    half = min(image.width, image.height) / 2
    box = [0, 0, image.width, image.height]
    axis = int(image.height > image.width)
    middle = box[axis + 2] // 2
    box[axis], box[axis + 2] = int(middle - half), int(middle + half)
    image = image.crop((box[0], box[1], box[2], box[3]))
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=None)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
