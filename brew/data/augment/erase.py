"""erase_param: rectangles of a colour or of noise in place of what was there (random erasing, cutout)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from brew.proto.brew_pb2 import EraseParameter

from .draws import Draw, Draws
from .view import Bytes, Rectangle

MOST = 10  # rectangles


def drawn(param: EraseParameter, draw: Draw, height: int, width: int) -> Iterator[Rectangle]:
    """The rectangles (top, left, bottom, right) for a record, none where it is left alone.

    With `size` a square lies about any pixel, and may reach beyond the edge; else a rectangle of a random area and
    aspect lies within the image, as large as it allows.
    """
    acts = draw.chance(param.prob)
    for _ in range(param.count):
        area, ratio = draw.uniform(param.area_lower, param.area_upper), draw.uniform()
        place = draw.uniform(), draw.uniform()
        if not acts:
            continue
        if param.size:
            top, left = (int(at * size) - param.size // 2 for at, size in zip(place, (height, width), strict=True))
            rectangle = top, left, top + param.size, left + param.size
        else:
            aspect = math.exp(_between(math.log(param.aspect_lower), math.log(param.aspect_upper), ratio))
            rows = min(height, max(1, round(math.sqrt(area * height * width / aspect))))
            columns = min(width, max(1, round(math.sqrt(area * height * width * aspect))))
            top, left = int(place[0] * (height - rows + 1)), int(place[1] * (width - columns + 1))
            rectangle = top, left, top + rows, left + columns
        yield max(rectangle[0], 0), max(rectangle[1], 0), min(rectangle[2], height), min(rectangle[3], width)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def applied(param: EraseParameter, draws: Draws, image: Bytes, mean: npt.NDArray[np.uint8]) -> Bytes:
    """The image with its rectangles, of `mean` (channels) where there is no value."""
    rectangles = list(drawn(param, draws.of("erase"), *image.shape[1:]))
    if not rectangles:
        return image
    erased = image.copy()
    values = np.array(param.value).clip(0, 255).astype(np.uint8) if param.value else mean
    noise = None
    if param.noise:
        noise = draws.many("erase", -(-image.size // 8)).view(np.uint8)[: image.size].reshape(image.shape)
    for top, left, bottom, right in rectangles:
        window = (slice(None), slice(top, bottom), slice(left, right))
        erased[window] = values.reshape(-1, 1, 1) if noise is None else noise[window]
    return erased
