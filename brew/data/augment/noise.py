"""noise_param, SSD's worse pictures: grey, blurred, equalised, compressed, eroded, inverted, peppered."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from brew.proto.brew_pb2 import NoiseParameter

from . import blur, colour_spaces, jpeg, tables
from .draws import Draws
from .view import Bytes

_BLUR = 1.5, 3  # sigma, and pixels on either side


def applied(param: NoiseParameter, draws: Draws, image: Bytes) -> Bytes:
    """The image (channels, rows, columns), where chance wills it with all that `param` asks for, in SSD's order."""
    if not draws.of("noise").chance(param.prob):
        return image
    colour = len(image) == 3
    if param.decolorize and colour:
        image = np.repeat(colour_spaces.luma(image)[None], 3, 0)
    if param.gauss_blur:
        image = blur.blurred(image, *_BLUR)
    if param.hist_eq:
        image = _in_luma(image, tables.equalized)
    if param.clahe:
        image = _in_luma(image, tables.tiled_equalized)
    if param.jpeg > 0:
        image = jpeg.compressed(image, int(param.jpeg))
    if param.erode:
        image = eroded(image)
    if param.posterize:
        image = tables.reduced(image)
    if param.inverse:
        image = tables.inverted(image)
    if param.saltpepper:
        image = _peppered(param, draws, image)
    if param.convert_to_hsv and colour:
        image = colour_spaces.to_hsv(image)
    if param.convert_to_lab and colour:
        image = colour_spaces.to_lab(image)
    return image


def _in_luma(image: Bytes, change: Callable[[Bytes], Bytes]) -> Bytes:
    """With the luma changed, and the colours as they were; of other than three channels each by itself."""
    if len(image) != 3:
        return np.stack([change(plane) for plane in image])
    apart = colour_spaces.to_ycrcb(image)
    apart[0] = change(apart[0])
    return colour_spaces.from_ycrcb(apart)


def eroded(image: Bytes) -> Bytes:
    """The least of a pixel and its four neighbours."""
    least = image.copy()
    for axis in (1, 2):
        before, behind = [slice(None)] * 3, [slice(None)] * 3
        before[axis], behind[axis] = slice(None, -1), slice(1, None)
        for here, there in ((tuple(before), tuple(behind)), (tuple(behind), tuple(before))):
            np.minimum(least[here], image[there], out=least[here])
    return least


def _peppered(param: NoiseParameter, draws: Draws, image: Bytes) -> Bytes:
    """Pixels at random, some perhaps more than once, in one colour."""
    _, rows, columns = image.shape
    count = math.floor(param.saltpepper_param.fraction * rows * columns)
    places = draws.many("noise", 2 * count).reshape(count, 2)
    row, column = (places[:, i] % np.uint64(size) for i, size in enumerate((rows, columns)))
    peppered = image.copy()
    values = np.array(param.saltpepper_param.value or [0.0]).clip(0, 255).astype(np.uint8)
    peppered[:, row, column] = np.broadcast_to(values, len(image))[:, None]
    return peppered
