"""Colours of classes, and of numbers that are no pictures."""

from __future__ import annotations

import colorsys
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

RGB: TypeAlias = npt.NDArray[np.uint8]

INK, FAINT, EDGE, CARD, PAPER, GROUND = "#212529", "#868e96", "#dee2e6", "#ffffff", "#f8f9fa", "#f1f3f5"

_TURN = 0.61803398875  # of the circle of hues, from class to class: neighbours are far apart
_HEAT = np.array(  # dark to bright, of even steps in brightness
    [(19, 18, 54), (45, 44, 122), (38, 96, 152), (29, 141, 147), (76, 184, 118), (175, 215, 84), (253, 243, 165)],
    np.float64,
)
IGNORED = 255  # of a mask: pixels that have no class


def class_colour(label: int) -> str:
    """The colour of a class: the same one in every sheet.

    >>> class_colour(0), class_colour(0) == class_colour(1)
    ('#d53434', False)
    """
    red, green, blue = (round(255 * part) for part in _of_class(label))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _of_class(label: int) -> tuple[float, float, float]:
    lightness = (0.52, 0.40, 0.62)[label // 8 % 3]
    return colorsys.hls_to_rgb(label * _TURN % 1, lightness, 0.66)


def heat(values: npt.NDArray[Any]) -> RGB:
    """Numbers from 0 to 1 (height, width) as colours (height, width, 3)."""
    place = np.clip(np.nan_to_num(values), 0, 1) * (len(_HEAT) - 1)
    low = np.minimum(place.astype(np.intp), len(_HEAT) - 2)
    part = (place - low)[..., None]
    colours: RGB = np.rint(_HEAT[low] * (1 - part) + _HEAT[low + 1] * part).astype(np.uint8)
    return colours


def under_mask(picture: RGB, mask: npt.NDArray[np.uint8], strength: float = 0.55) -> RGB:
    """A picture (height, width, 3) under the colours of the classes of its mask (height, width); 0 stays clear."""
    table = np.array([_of_class(label) for label in range(256)]) * 255
    table[IGNORED] = 245, 245, 245
    share = np.where(mask[..., None] == 0, 0.0, strength)
    mixed: RGB = np.rint(picture * (1 - share) + table[mask] * share).astype(np.uint8)
    return mixed
