"""Pictures whose pixels are labels: of a palette the numbers count, not the colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from brew.errors import Place
from brew.files import regular

from .decoding import BadImage, opened, placed

_MODES = frozenset({"P", "L", "1", "I", "I;16"})


def decode_mask(data: bytes) -> npt.NDArray[np.uint8]:
    """The labels in an encoded picture, (1, height, width): indices of a palette, or gray values as they are.

    BadImage for colours, labels beyond 255, and what cannot be decoded.
    """
    with opened(data) as image:
        if image.mode not in _MODES:
            raise BadImage(f"is a mask in colours (mode {image.mode}); a palette or gray values are expected")
        values = np.asarray(image)
    if values.size and int(values.max()) > 255:
        raise BadImage(f"has the label {int(values.max())}; up to 255 fit")
    return values.astype(np.uint8)[None]


def read_mask(path: Path, *, place: Place | None = None) -> npt.NDArray[np.uint8]:
    """The labels in file `path`, as `decode_mask` gives them; DataError as of `read_image`."""
    with placed(path, place):
        return decode_mask(regular.read_bytes(path))
