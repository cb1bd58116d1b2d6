"""Windows of an image: beyond it (expand_param, SSD), and of a random area and aspect within it
(random_resized_crop_param; random_aspect_ratio_param, Intel)."""

from __future__ import annotations

import math

from brew.proto.brew_pb2 import ExpansionParameter, RandomAspectRatioParameter, RandomResizedCropParameter

from .draws import Draw
from .view import Rectangle

ATTEMPTS = 10
MOST_ATTEMPTS = 30  # so many have random numbers
_LEAST_RATIO = 1.01  # a max_expand_ratio below is none, as in SSD


def canvas(param: ExpansionParameter, draw: Draw, height: int, width: int) -> Rectangle:
    """The canvas of a record (top, left, bottom, right), in pixels of the image of this size, which lies on it."""
    acts, ratio = draw.chance(param.prob), draw.uniform(1.0, param.max_expand_ratio)
    down, across = draw.uniform(), draw.uniform()
    if not acts or param.max_expand_ratio < _LEAST_RATIO:
        return 0, 0, height, width
    tall, wide = int(height * ratio), int(width * ratio)
    top, left = int(down * (tall - height)), int(across * (wide - width))
    return -top, -left, tall - top, wide - left


def resized(param: RandomResizedCropParameter, draw: Draw | None, height: int, width: int) -> Rectangle:
    """The window (top, left, bottom, right); without `draw`, by chance, and where none of ten fits, in the middle."""
    wanted = param.width / param.height
    if draw is None or not draw.chance(param.prob):
        return middle(height, width, wanted)
    place = draw.uniform(), draw.uniform()
    for _ in range(ATTEMPTS):
        area = draw.uniform(param.area_lower, param.area_upper) * height * width
        aspect = math.exp(draw.uniform(math.log(param.aspect_lower), math.log(param.aspect_upper)))
        window = _placed(area, aspect, place, height, width)
        if window is not None:
            return window
    return middle(height, width, min(max(width / height, param.aspect_lower), param.aspect_upper))


def changed_aspect(param: RandomAspectRatioParameter, draw: Draw, height: int, width: int) -> Rectangle:
    """Intel's: the aspect is at most times or over aspect_ratio_change; where none fits, the square in the middle."""
    place, change = (draw.uniform(), draw.uniform()), param.aspect_ratio_change
    for _ in range(param.max_attempt):
        area = draw.uniform(param.min_area_ratio, param.max_area_ratio) * height * width
        window = _placed(area, draw.uniform(1 / change, change), place, height, width)
        if window is not None:
            return window
    return middle(height, width, 1.0)


def _placed(area: float, aspect: float, place: tuple[float, float], height: int, width: int) -> Rectangle | None:
    """A window of so many pixels in the image, None where it is too long."""
    rows, columns = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
    if not (0 < rows <= height and 0 < columns <= width):
        return None
    top, left = int(place[0] * (height - rows + 1)), int(place[1] * (width - columns + 1))
    return top, left, top + rows, left + columns


def middle(height: int, width: int, aspect: float) -> Rectangle:
    """The largest window of an aspect in the middle of the image."""
    rows, columns = height, width
    if width > height * aspect:
        columns = max(1, round(height * aspect))
    else:
        rows = max(1, min(height, round(width / aspect)))
    top, left = (height - rows) // 2, (width - columns) // 2
    return top, left, top + rows, left + columns
