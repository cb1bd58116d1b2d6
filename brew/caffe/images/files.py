"""Image files as floats: RGB, rows x columns x channels, values from 0 to 1, as scikit-image handed them to pycaffe."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.data.images.decoding import FORMATS
from brew.errors import DataError
from brew.files import regular

if TYPE_CHECKING:
    from PIL.Image import Image

Source: TypeAlias = str | os.PathLike[str] | IO[bytes]
Floats: TypeAlias = npt.NDArray[np.float32]

_GRAY = np.array([0.2125, 0.7154, 0.0721])  # of red, green and blue: skimage.color.rgb2gray


class ImageError(DataError, ValueError):
    """Bytes that no decoder of images takes."""


def load(source: Source, *, color: bool) -> Floats:
    """The image of a file's name or of an open file as (rows, columns, 3), or without `color` (rows, columns, 1).

    Gray becomes three equal channels, alpha is left out, a palette is looked up, 16 bits are read as they are, and an
    orientation mark of a camera is not obeyed. OSError where the file cannot be read, ImageError where its content
    cannot be decoded.
    """
    if isinstance(source, str | os.PathLike):
        name, data = str(source), regular.read_bytes(Path(source))
    else:
        name, data = str(getattr(source, "name", "") or "of an open file"), source.read()
    values = _values(data, name)
    if values.ndim == 2:
        gray = values.astype(np.float32)[:, :, None]
        return np.tile(gray, (1, 1, 3)) if color else gray
    rgb = values[:, :, :3]
    return rgb.astype(np.float32) if color else (rgb @ _GRAY).astype(np.float32)[:, :, None]


def _values(data: bytes, name: str) -> npt.NDArray[np.float64]:
    from PIL import Image as images

    try:
        with images.open(io.BytesIO(data), formats=FORMATS) as image:
            return _floats(image)
    except (OSError, ValueError, SyntaxError, EOFError, images.DecompressionBombError) as error:
        known = ", ".join(FORMATS)
        raise ImageError(f"image {name} of {len(data)} bytes cannot be decoded ({known} can): {error}") from None


def _floats(image: Image) -> npt.NDArray[np.float64]:
    """(rows, columns), or (rows, columns, 3 or 4), from 0 to 1; floats of a file as they are."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return np.asarray(image).astype(np.float64) / 65535
    if image.mode == "I":
        return np.asarray(image).astype(np.float64) / 2**31
    if image.mode == "F":
        return np.asarray(image).astype(np.float64)
    pixels: npt.NDArray[Any] = np.asarray(image.convert(_mode(image)))
    return pixels / 255


def _mode(image: Image) -> str:
    """The mode of 8 bits a channel in which scikit-image's reader takes the pixels."""
    if image.mode in ("1", "L"):
        return "L"
    return "RGBA" if image.mode == "P" or "A" in image.mode.upper() else "RGB"
