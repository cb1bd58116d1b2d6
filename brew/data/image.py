"""Compressed images as arrays, through Pillow: BGR, channels first, as OpenCV hands them to Caffe."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.Image import Image

# What a file's mode becomes when nothing is forced: gray stays gray, alpha stays alpha.
_STORED = {"1": "L", "L": "L", "RGB": "RGB", "RGBA": "RGBA", "LA": "RGBA", "P": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}


class BadImage(ValueError):
    """Bytes that cannot be decoded; the text ends a sentence that begins with the image."""


def decode_image(data: bytes, *, color: bool = False, gray: bool = False) -> npt.NDArray[np.uint8]:
    """The image in `data` as (channels, height, width) of uint8: 1 (gray), 3 (BGR) or 4 (BGRA) channels.

    `color` makes it 3 channels, `gray` one. An orientation mark of a camera is not obeyed. Raises BadImage.
    """
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    if not data:
        raise BadImage("has no bytes")
    try:
        with images.open(io.BytesIO(data)) as image:
            return _pixels(image, color, gray)
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage(f"of {len(data)} bytes is of no known format") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadImage(f"cannot be decoded: {error}") from None
    except (images.DecompressionBombError, images.DecompressionBombWarning) as error:
        raise BadImage(f"is refused: {error}") from None


def _pixels(image: Image, color: bool, gray: bool) -> npt.NDArray[np.uint8]:
    mode = image.mode
    if mode == "P" and "transparency" in image.info:
        mode = "LA"
    if mode not in _STORED:
        raise BadImage(f"has more than 8 bits a channel (mode {mode}); 8 are expected")
    if gray and image.format == "JPEG":
        image.draft("L", None)  # the luminance as the file holds it
    array: npt.NDArray[Any] = np.asarray(image.convert("L" if gray else "RGB" if color else _STORED[mode]))
    if array.ndim == 2:
        return np.ascontiguousarray(array[None])
    order = [2, 1, 0, 3][: array.shape[2]]
    return np.ascontiguousarray(array[:, :, order].transpose(2, 0, 1))
