"""To what size an image is brought: resize_param (SSD), img_rand_resize (NVIDIA), random_resize_param (Intel).

In TEST nothing is drawn: the first interpolation counts, and of a range of sizes the middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brew.proto.brew_pb2 import (
    RandomResizeParameter,
    ResizeParameter,
    TransformationParameter,
)

from .draws import Draw

if TYPE_CHECKING:
    from .view import Rectangle

_OF_NVIDIA = {
    TransformationParameter.INTER_NEAREST: ResizeParameter.NEAREST,
    TransformationParameter.INTER_LINEAR: ResizeParameter.LINEAR,
    TransformationParameter.INTER_CUBIC: ResizeParameter.CUBIC,
    TransformationParameter.INTER_AREA: ResizeParameter.AREA,
}  # fmt: skip
NVIDIA = (
    "img_rand_resize_lower", "img_rand_resize_upper", "rand_resize_ratio_lower", "rand_resize_ratio_upper",
    "vertical_stretch_lower", "vertical_stretch_upper", "horizontal_stretch_lower", "horizontal_stretch_upper",
)  # fmt: skip
"""NVIDIA's fields each of which asks for a new size."""


@dataclass(frozen=True, slots=True)
class Target:
    """The size (height, width) an image is resized to, the interpolation, and the border around it."""

    size: tuple[int, int]
    mode: int = ResizeParameter.LINEAR
    border: Rectangle = (0, 0, 0, 0)


def crop_of(param: TransformationParameter) -> tuple[int, int] | None:
    """(height, width) of the crop, None where there is none."""
    if param.crop_h:
        return param.crop_h, param.crop_w
    return (param.crop_size, param.crop_size) if param.crop_size else None


def warped(param: TransformationParameter) -> tuple[int, int] | None:
    """(height, width) that resize_param brings every image to, whatever its own; None where it does not."""
    resize = param.resize_param
    if not param.HasField("resize_param") or resize.resize_mode != ResizeParameter.WARP:
        return None
    return resize.height, resize.width


def interpolation(modes: Sequence[int], draw: Draw | None) -> int:
    """One of the modes by chance, the first without `draw`; LINEAR where there is none."""
    number = draw.below(max(len(modes), 1)) if draw is not None else 0
    return modes[number] if modes else ResizeParameter.LINEAR


def fixed(param: ResizeParameter, draw: Draw | None, height: int, width: int) -> Target | None:
    """What resize_param makes of an image of height x width; None where chance leaves it as it is."""
    if draw is not None and not draw.chance(param.prob):
        return None
    mode = interpolation(param.interp_mode, draw)
    aspect, wanted = np.float32(width) / np.float32(height), np.float32(param.width) / np.float32(param.height)
    if param.resize_mode == ResizeParameter.WARP:
        return Target((param.height, param.width), mode)
    by_width = aspect > wanted if param.resize_mode == ResizeParameter.FIT_LARGE_SIZE_AND_PAD else aspect < wanted
    if by_width:
        size = max(1, math.floor(np.float32(param.width) / aspect)), param.width
    else:
        size = param.height, max(1, math.floor(aspect * np.float32(param.height)))
    if param.resize_mode == ResizeParameter.FIT_SMALL_SIZE:
        return Target(size, mode)
    top, left = (param.height - size[0]) // 2, (param.width - size[1]) // 2
    return Target(size, mode, (top, left, param.height - size[0] - top, param.width - size[1] - left))


def shorter_side(param: RandomResizeParameter, draw: Draw | None, height: int, width: int) -> Target:
    """Intel's: the shorter side becomes a number from min_size to max_size."""
    low, high = param.min_size, param.max_size
    side = (low + high) // 2 if draw is None else draw.between(low, high)
    mode = interpolation(param.resize_param.interp_mode, draw)
    tall, wide = (math.floor(edge * side / min(height, width) + 0.5) for edge in (height, width))
    return Target((tall, wide), mode)


def asked_by_nvidia(param: TransformationParameter) -> bool:
    """Whether one of NVIDIA's fields asks for a new size."""
    return any(param.HasField(name) for name in NVIDIA)


def nvidia(
    param: TransformationParameter, draw: Draw | None, height: int, width: int, least: tuple[int, int]
) -> Target:
    """The shorter side from a range, or as it is; then the aspect from one, and stretches; no side below `least`."""
    low, high = param.img_rand_resize_lower, param.img_rand_resize_upper
    side, stretch, ratio, coin = (low + high) // 2, (1.0, 1.0), 0.0, False
    if draw is not None:
        side = draw.between(low, high)
        ratio = draw.uniform(param.rand_resize_ratio_lower, param.rand_resize_ratio_upper)
        coin = draw.chance(0.5)
        stretch = (
            draw.uniform(param.vertical_stretch_lower, param.vertical_stretch_upper),
            draw.uniform(param.horizontal_stretch_lower, param.horizontal_stretch_upper),
        )
    tall, wide = (edge * (side or min(height, width)) / min(height, width) for edge in (height, width))
    if ratio >= 1 and param.rand_resize_ratio_upper > 1:
        if wide > tall or (wide == tall and coin):
            wide = tall * ratio
        else:
            tall = wide * ratio
    size = [max(edge, math.floor(s * by + 0.5), 1) for edge, s, by in zip(least, (tall, wide), stretch, strict=True)]
    if not param.allow_upscale:
        size = [min(size[0], height), min(size[1], width)]
    smaller = size[0] <= height and size[1] <= width
    mode = param.interpolation_algo_down if smaller else param.interpolation_algo_up
    return Target((size[0], size[1]), _OF_NVIDIA[mode])
