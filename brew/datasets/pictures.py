"""Pictures in the one form that all of an import have: their channels, their size, as pixels or as a file's bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from brew.data.images.decoding import BadImage, decode_image, encode_jpeg, encode_png
from brew.data.images.header import jpeg_header
from brew.data.images.masks import decode_mask
from brew.errors import DataError

from .geometry import Bytes, Placement, place, placement
from .settings import ImportSettings

_AROUND_MASKS = 255  # in a padded mask: the label that nets are told to ignore
TURNED = "turned upright"
_JPEG = b"\xff\xd8\xff"


class Coloured(Exception):
    """A picture has colours, where the first ones looked at were gray, and nothing was said."""


class Picture(NamedTuple):
    """A picture in its form.

    shape   (channels, height, width)
    pixels  of this shape
    file    the same as the bytes of an encoded picture, where these are stored; else None
    at      where its pixels came from
    told    what was changed in it, in words
    """

    shape: tuple[int, int, int]
    pixels: Bytes
    file: bytes | None
    at: Placement
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """`gray` as settings have it; `guessed`: no picture looked at had colours, and nobody said what is wanted."""

    settings: ImportSettings
    gray: bool
    guessed: bool

    def picture(self, data: bytes | Bytes) -> Picture:
        """A picture of a file's bytes, or of pixels (channels, height, width). BadImage, Coloured."""
        if not isinstance(data, bytes):
            pixels, at = self._placed(self._array_channels(data))
            file = _encoded(pixels, b"") if self.settings.encoded else None
            return Picture((len(pixels), *at.canvas), pixels, file, at, ())
        stored = decode_image(data, upright=self.settings.upright)
        formed, told = self._channels(data, stored)
        pixels, at = self._placed(formed)
        shape = len(pixels), *at.canvas
        turned = self._turned(data)
        if not self.settings.as_files:
            return Picture(shape, pixels, None, at, told + turned)
        kept = pixels is stored and TURNED not in turned
        file = data if kept else _encoded(pixels, b"" if told else data)
        return Picture(shape, pixels, file, at, told + turned)

    def _turned(self, data: bytes) -> tuple[str, ...]:
        """What became of the mark of a camera that was not held upright."""
        header = jpeg_header(data)
        if header is None or header.orientation == 1:
            return ()
        return (TURNED,) if self.settings.upright else ("left as the camera was held (--upright turns them)",)

    def _placed(self, pixels: Bytes) -> tuple[Bytes, Placement]:
        height, width = pixels.shape[1:]
        at = placement((height, width), self.settings.size, self.settings.resize)
        return place(pixels, at), at

    def mask(self, data: bytes | npt.NDArray[Any], at: Placement) -> Bytes:
        """The mask of a picture, (1, height, width), as the picture was placed. BadImage."""
        pixels = decode_mask(data) if isinstance(data, bytes) else np.asarray(data)
        pixels = pixels if pixels.ndim == 3 else pixels[None]
        if pixels.shape != (1, *at.size) or pixels.dtype != np.uint8:
            shape = " x ".join(map(str, pixels.shape))
            raise DataError(f"its mask is {shape} of {pixels.dtype}, the picture {at.size[0]} x {at.size[1]}")
        return place(pixels, at, fill=_AROUND_MASKS, blend=False)

    def _channels(self, data: bytes, stored: Bytes) -> tuple[Bytes, tuple[str, ...]]:
        channels = len(stored)
        if self.gray:
            if channels == 1:
                return stored, ()
            if self.guessed:
                raise Coloured
            return decode_image(data, gray=True, upright=self.settings.upright), ("colour made gray",)
        if channels == 1:
            return np.repeat(stored, 3, axis=0), ("gray made colour",)
        if channels == 4:
            return np.ascontiguousarray(stored[:3]), ("transparency dropped",)
        return stored, ()

    def _array_channels(self, stored: Bytes) -> Bytes:
        """Arrays have the channels they have, unless something else is asked for."""
        if self.settings.gray is False and len(stored) == 1:
            return np.repeat(stored, 3, axis=0)
        if self.settings.gray and len(stored) == 3:
            weights = np.array([1868, 9617, 4899], np.uint32)  # of blue, green, red: as brew.data.images has it
            return (np.tensordot(weights, stored, 1) + (1 << 13) >> 14).astype(np.uint8)[None]
        return stored


def _encoded(pixels: Bytes, original: bytes) -> bytes:
    """A JPEG of what was one; else a PNG, which loses nothing."""
    if len(pixels) not in (1, 3):
        raise BadImage(f"has {len(pixels)} channels, which no encoded picture has")
    upright = pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))
    return encode_jpeg(upright) if original.startswith(_JPEG) else encode_png(upright)
