"""Compressed images as arrays: BGR, channels first, as OpenCV hands them to Caffe.

JPEG goes through simplejpeg where it is installed (jpeg.py), everything else through Pillow. Of 16 bits a channel the
high byte counts. A palette is looked up; where it has transparency, the image has alpha. CMYK becomes colour as Pillow
does it, without profiles. Of several frames the first is taken.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt

from brew.errors import DataError, Place
from brew.files import regular

from . import jpeg
from .header import jpeg_header

if TYPE_CHECKING:
    from PIL.Image import Image

Bytes: TypeAlias = npt.NDArray[np.uint8]

# What a file's mode becomes when nothing is forced: gray stays gray, alpha stays alpha.
_STORED = {"1": "L", "L": "L", "RGB": "RGB", "RGBA": "RGBA", "LA": "RGBA", "P": "RGB", "CMYK": "RGB", "YCbCr": "RGB",
           "RGBX": "RGB", "PA": "RGBA", "I;16": "L", "I;16L": "L", "I;16B": "L"}  # fmt: skip
_RAW = {"L": "L", "RGB": "BGR", "RGBA": "BGRA"}  # the order of the bytes of a pixel that is asked for
_ORIENTATION = 0x0112  # EXIF's tag

# Red, green, blue to gray as OpenCV's libraries do it: weights, the addend before the shift, the shift.
_PNG_GRAY = (9797, 19234, 3737), 0, 15
_GRAY = (4899, 9617, 1868), 1 << 13, 14


# What Pillow may open: what OpenCV opens for Caffe, whatever a file is called. Each of them is decoded within this
# process; for others Pillow starts programs (EPS: Ghostscript), draws (WMF), or has decoders that few people use.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000")


@dataclass(frozen=True, slots=True)
class ImageRule:
    """How compressed images become arrays.

    color     3 channels, whatever is stored; gray likewise 1; else as stored, alpha with it
    upright   turned as the EXIF orientation says. Caffe leaves images as they are stored
    at_least  a JPEG is decoded at 1/2, 1/4 or 1/8 of its size, as long as its shorter side has so many pixels then;
              0: never. Faster; the pixels are means of those of the whole image, more or less
    """

    color: bool = False
    gray: bool = False
    upright: bool = False
    at_least: int = 0

    def shrink(self, height: int, width: int) -> int:
        """1, 2, 4 or 8: how much smaller a JPEG of this size is decoded."""
        if not self.at_least:
            return 1
        return next((s for s in (8, 4, 2) if min(height, width) // s >= self.at_least), 1)


AS_STORED, IN_COLOR = ImageRule(), ImageRule(color=True)


class BadImage(ValueError):
    """Bytes that cannot be decoded; the text ends a sentence that begins with the image."""


def read_image(path: Path, rule: ImageRule, *, place: Place | None = None, data: bytes | None = None) -> Bytes:
    """The image in file `path`, as `decode` gives it; `data` is the file's content if it is known.

    DataError with the path, at `place` (the line that names it), when it cannot be read or decoded.
    """
    with placed(path, place):
        return decode(regular.read_bytes(path) if data is None else data, rule)


@contextmanager
def placed(path: Path, place: Place | None) -> Iterator[None]:
    """Errors of reading and decoding file `path` become DataError, at `place`."""
    try:
        yield
    except BadImage as error:
        raise DataError(f"image {path} {error}", place=place) from None
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"image {path} cannot be read: {reason}", place=place) from None


def decode_image(data: bytes, *, color: bool = False, gray: bool = False, upright: bool = False) -> Bytes:
    """The image in `data` as (channels, height, width) of uint8: 1 (gray), 3 (BGR) or 4 (BGRA) channels.

    `color` makes it 3 channels, `gray` one; `upright` obeys a camera's mark of orientation. Raises BadImage.
    """
    return np.array(decode(data, ImageRule(color, gray, upright)), order="C")


def decode(data: bytes | memoryview, rule: ImageRule) -> Bytes:
    """The image in `data` as (channels, height, width): a view of channels last, often read-only. Raises BadImage."""
    if not data:
        raise BadImage("has no bytes")
    header = jpeg_header(data)
    if header is not None:
        gray = rule.gray or (header.channels == 1 and not rule.color)
        pixels = jpeg.decode(data, header, gray=gray, shrink=rule.shrink(header.height, header.width))
        if pixels is not None:
            return turned(pixels.transpose(2, 0, 1), header.orientation if rule.upright else 1)
    return _through_pillow(data, rule)


def _through_pillow(data: bytes | memoryview, rule: ImageRule) -> Bytes:
    with opened(data) as image:
        return _pixels(image, rule)


@contextmanager
def opened(data: bytes | memoryview) -> Iterator[Image]:
    """The image in `data`, opened by Pillow. Whatever it raises over it, then and inside, is BadImage."""
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    with _bad_image():
        try:
            image = images.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError:
            raise BadImage(f"of {len(data)} bytes is of no known format ({', '.join(FORMATS)})") from None
        except (images.DecompressionBombError, images.DecompressionBombWarning) as error:
            raise BadImage(f"is refused: {error}") from None
        with image:
            yield image


@contextmanager
def _bad_image() -> Iterator[None]:
    """On bytes that are no whole image Pillow's decoders raise what comes along, from KeyError to struct.error."""
    try:
        yield
    except BadImage:
        raise
    except MemoryError:
        raise BadImage("is too large for the memory there is") from None
    except Exception as error:
        raise BadImage(f"cannot be decoded: {error or type(error).__name__}") from None


def image_pixels(image: Image, *, color: bool = False, gray: bool = False) -> Bytes:
    """The same of an image that Pillow holds."""
    with _bad_image():
        return np.array(_pixels(image, ImageRule(color, gray)), order="C")


def turned(pixels: Bytes, orientation: int) -> Bytes:
    """(channels, height, width) turned and mirrored as EXIF's orientation, 1 to 8, asks for; a view."""
    if orientation >= 5:
        pixels = pixels.transpose(0, 2, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[:, ::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, :, ::-1]
    return pixels


def array_pixels(array: Bytes, *, color: bool = False, gray: bool = False) -> Bytes:
    """The same of (height, width) gray or (height, width, channels) gray, RGB or RGBA."""
    from PIL import Image as images

    gray_alone = array.ndim == 3 and array.shape[2] == 1
    return image_pixels(images.fromarray(array[:, :, 0] if gray_alone else array), color=color, gray=gray)


def is_pillow(value: object) -> TypeGuard[Image]:
    """Whether `value` is an image of Pillow's; Pillow is not imported for it."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def to_pillow(pixels: Bytes) -> Image:
    """An image of Pillow's of (height, width) gray or (height, width, 3) RGB."""
    from PIL import Image as images

    return images.fromarray(pixels)


def encode_png(pixels: Bytes) -> bytes:
    """A PNG file of (height, width) gray or (height, width, 3) RGB."""
    out = io.BytesIO()
    to_pillow(pixels).save(out, "PNG")
    return out.getvalue()


def encode_jpeg(pixels: Bytes, quality: int = 95) -> bytes:
    """A JPEG file of (height, width) gray or (height, width, 3) RGB."""
    out = io.BytesIO()
    to_pillow(pixels).save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()


def _pixels(image: Image, rule: ImageRule) -> Bytes:
    mode = image.mode
    if mode == "P" and "transparency" in image.info:
        mode = "LA"
    elif mode == "I" and image.format == "PPM":
        mode = "I;16"  # as much as such a file can hold
    if mode not in _STORED:
        raise BadImage(f"has more than 8 bits a channel (mode {mode}); 8 or 16 are expected")
    if image.format == "JPEG":
        shrink = rule.shrink(image.height, image.width)
        size = (image.width // shrink, image.height // shrink) if shrink > 1 else None
        image.draft("L" if rule.gray else None, size)  # the luminance as the file holds it
    orientation: Any = image.getexif().get(_ORIENTATION) if rule.upright else None
    deep = mode.startswith("I;16")
    as_rgb = rule.color or (rule.gray and not deep and image.mode not in ("1", "L", "LA"))
    stored = "RGB" if as_rgb else "L" if rule.gray else _STORED[mode]
    array = _high_bytes(image, stored) if deep else _bytes(image, stored)
    if rule.gray and array.shape[2] == 3:
        weights, half, bits = _PNG_GRAY if image.format == "PNG" else _GRAY
        array = ((array @ np.array(weights[::-1], np.uint32) + np.uint32(half)) >> np.uint32(bits)).astype(np.uint8)
        array = array[:, :, None]
    return turned(array.transpose(2, 0, 1), orientation if orientation in range(1, 9) else 1)


def _bytes(image: Image, mode: str) -> Bytes:
    """(height, width, channels) of an image in `mode`, blue first."""
    raw = (image if image.mode == mode else image.convert(mode)).tobytes("raw", _RAW[mode])
    return np.frombuffer(raw, np.uint8).reshape(image.height, image.width, -1)


def _high_bytes(image: Image, mode: str) -> Bytes:
    """The same of a gray one of 16 bits a pixel."""
    high = (np.asarray(image) >> 8).astype(np.uint8)[:, :, None]
    return np.repeat(high, 3, axis=2) if mode == "RGB" else high
