"""Compressed images as arrays, through Pillow: BGR, channels first, as OpenCV hands them to Caffe."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import numpy.typing as npt

from brew.errors import DataError, Place
from brew.files import regular

if TYPE_CHECKING:
    from PIL.Image import Image

# What a file's mode becomes when nothing is forced: gray stays gray, alpha stays alpha.
_STORED = {"1": "L", "L": "L", "RGB": "RGB", "RGBA": "RGBA", "LA": "RGBA", "P": "RGB", "CMYK": "RGB", "YCbCr": "RGB"}

# Red, green, blue to gray as OpenCV's libraries do it: weights, the addend before the shift, the shift.
_PNG_GRAY = (9797, 19234, 3737), 0, 15
_GRAY = (4899, 9617, 1868), 1 << 13, 14


# What Pillow may open: what OpenCV opens for Caffe, whatever a file is called. Each of them is decoded within this
# process; for others Pillow starts programs (EPS: Ghostscript), draws (WMF), or has decoders that few people use.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000")


class BadImage(ValueError):
    """Bytes that cannot be decoded; the text ends a sentence that begins with the image."""


def read_image(
    path: Path, *, color: bool, place: Place | None = None, data: bytes | None = None
) -> npt.NDArray[np.uint8]:
    """The image in file `path`, 3 channels (BGR) or, without `color`, one; `data` is the file's content if it is known.

    DataError with the path, at `place` (the line that names it), when it cannot be read or decoded.
    """
    try:
        data = regular.read_bytes(path) if data is None else data
        return decode_image(data, color=color, gray=not color)
    except BadImage as error:
        raise DataError(f"image {path} {error}", place=place) from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"image {path} cannot be read: {reason}", place=place) from None


def decode_image(data: bytes, *, color: bool = False, gray: bool = False) -> npt.NDArray[np.uint8]:
    """The image in `data` as (channels, height, width) of uint8: 1 (gray), 3 (BGR) or 4 (BGRA) channels.

    `color` makes it 3 channels, `gray` one. An orientation mark of a camera is not obeyed. Raises BadImage.
    """
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    if not data:
        raise BadImage("has no bytes")
    try:
        with images.open(io.BytesIO(data), formats=FORMATS) as image:
            return _pixels(image, color, gray)
    except BadImage:
        raise
    except UnidentifiedImageError:
        raise BadImage(f"of {len(data)} bytes is of no known format ({', '.join(FORMATS)})") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadImage(f"cannot be decoded: {error}") from None
    except (images.DecompressionBombError, images.DecompressionBombWarning) as error:
        raise BadImage(f"is refused: {error}") from None


def image_pixels(image: Image, *, color: bool = False, gray: bool = False) -> npt.NDArray[np.uint8]:
    """The same of an image that Pillow holds."""
    try:
        return _pixels(image, color, gray)
    except BadImage:
        raise
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadImage(f"cannot be decoded: {error}") from None


def array_pixels(array: npt.NDArray[np.uint8], *, color: bool = False, gray: bool = False) -> npt.NDArray[np.uint8]:
    """The same of (height, width) gray or (height, width, channels) gray, RGB or RGBA."""
    from PIL import Image as images

    gray_alone = array.ndim == 3 and array.shape[2] == 1
    return image_pixels(images.fromarray(array[:, :, 0] if gray_alone else array), color=color, gray=gray)


def is_pillow(value: object) -> TypeGuard[Image]:
    """Whether `value` is an image of Pillow's; Pillow is not imported for it."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def to_pillow(pixels: npt.NDArray[np.uint8]) -> Image:
    """An image of Pillow's of (height, width) gray or (height, width, 3) RGB."""
    from PIL import Image as images

    return images.fromarray(pixels)


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A PNG file of (height, width) gray or (height, width, 3) RGB."""
    out = io.BytesIO()
    to_pillow(pixels).save(out, "PNG")
    return out.getvalue()


def encode_jpeg(pixels: npt.NDArray[np.uint8], quality: int = 95) -> bytes:
    """A JPEG file of (height, width) gray or (height, width, 3) RGB."""
    out = io.BytesIO()
    to_pillow(pixels).save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()


def _pixels(image: Image, color: bool, gray: bool) -> npt.NDArray[np.uint8]:
    mode = image.mode
    if mode == "P" and "transparency" in image.info:
        mode = "LA"
    if mode not in _STORED:
        raise BadImage(f"has more than 8 bits a channel (mode {mode}); 8 are expected")
    if gray and image.format == "JPEG":
        image.draft("L", None)  # the luminance as the file holds it
    as_rgb = color or (gray and image.mode not in ("1", "L", "LA"))
    stored = "RGB" if as_rgb else "L" if gray else _STORED[mode]
    array: npt.NDArray[Any] = np.asarray(image.convert(stored))
    if gray and array.ndim == 3:
        weights, half, bits = _PNG_GRAY if image.format == "PNG" else _GRAY
        array = ((array @ np.array(weights, np.uint32) + np.uint32(half)) >> np.uint32(bits)).astype(np.uint8)
    if array.ndim == 2:
        return np.ascontiguousarray(array[None])
    order = [2, 1, 0, 3][: array.shape[2]]
    return np.ascontiguousarray(array[:, :, order].transpose(2, 0, 1))
