"""rand_augment_param: some of 14 operations, drawn for each record, all of one magnitude (Cubuk et al., 2019)."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels.colours import coloured
from brew.proto.brew_pb2 import RandAugmentParameter

from . import affine, jitter, tables
from .draws import Draw
from .view import Bytes

OPERATIONS = (
    "identity", "auto_contrast", "equalize", "rotate", "solarize", "color", "posterize", "contrast", "brightness",
    "sharpness", "shear_x", "shear_y", "translate_x", "translate_y",
)  # fmt: skip
MOST = 10  # of the magnitude
_TURN, _SHEAR, _MOVE, _FACTOR, _BITS = 30.0, 0.3, 150 / 331, 0.9, 4  # at that magnitude


def drawn(param: RandAugmentParameter, draw: Draw) -> list[tuple[str, float]]:
    """The operations for a record, each with its strength from -1 to 1."""
    acts = draw.chance(param.prob)
    chosen = []
    for _ in range(param.operations):
        name, sign = OPERATIONS[draw.below(len(OPERATIONS))], 1 - 2 * draw.below(2)
        chosen.append((name, sign * param.magnitude / MOST))
    return chosen if acts else []


def is_geometric(name: str) -> bool:
    return name in ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")


def mapping(name: str, strength: float, height: int, width: int) -> affine.Map:
    """The map of a geometric operation."""
    if name == "rotate":
        return affine.about_the_middle(height, width, turn=math.radians(_TURN * strength))
    along_x = name.endswith("x")
    if name.startswith("shear"):
        shear = (_SHEAR * strength, 0.0) if along_x else (0.0, _SHEAR * strength)
        return affine.about_the_middle(height, width, shear=shear)
    move = (_MOVE * strength * width, 0.0) if along_x else (0.0, _MOVE * strength * height)
    return affine.about_the_middle(height, width, move=move)


def applied(image: Bytes, name: str, strength: float, fill: npt.NDArray[np.uint8]) -> Bytes:
    """The image (channels, rows, columns) after an operation; `fill` (channels) where nothing of it is left."""
    if is_geometric(name):
        return affine.mapped(image, mapping(name, strength, *image.shape[1:]), fill)
    factor = 1 + _FACTOR * strength
    if name in ("auto_contrast", "equalize"):
        change = tables.stretched if name == "auto_contrast" else tables.equalized
        return np.stack([change(plane) for plane in image])
    if name == "solarize":
        return tables.solarized(image, 256 * (1 - abs(strength)))
    if name == "posterize":
        return tables.posterized(image, 8 - round(_BITS * abs(strength)))
    if name == "brightness":
        return tables.scaled(image, factor)
    if name == "contrast":
        return tables.scaled(image, factor, (1 - factor) * jitter.mean_grey(image))
    if name == "color" and len(image) == 3:
        out = np.empty_like(image, order="C")
        coloured(image, [jitter.saturation(factor)], out)
        return out
    return sharpened(image, factor) if name == "sharpness" else image


def sharpened(image: Bytes, factor: float) -> Bytes:
    """Away from or towards the image as it is smoothed: a pixel counts 5 times, its 8 neighbours once. Edges stay."""
    rows, columns = image.shape[1:]
    if min(rows, columns) < 3:
        return image
    wide = image.astype(np.float32)
    total = 4 * wide[:, 1:-1, 1:-1]
    for i in range(3):
        for j in range(3):
            total = total + wide[:, i : rows - 2 + i, j : columns - 2 + j]
    inner = np.rint(total / np.float32(13)) * np.float32(1 - factor) + wide[:, 1:-1, 1:-1] * np.float32(factor)
    sharp = image.copy()
    sharp[:, 1:-1, 1:-1] = np.clip(np.rint(inner), 0, 255)
    return sharp
