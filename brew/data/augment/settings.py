"""Settings of augmentations that cannot be, and those that say nothing here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from brew.proto.brew_pb2 import ResizeParameter, TransformationParameter

from . import COLOURS, sizes
from .erase import MOST as MOST_RECTANGLES
from .rand_augment import MOST as MOST_MAGNITUDE
from .windows import MOST_ATTEMPTS

Wrong = Callable[..., Exception]
"""Makes the error of a message for the field that the path of names leads to: wrong(message, *path)."""

# By message: fields with their least and greatest values.
_ANY = math.inf
_LIMITS: dict[str, dict[str, tuple[float, float]]] = {
    "resize_param": {"prob": (0, 1), "height": (1, 65500), "width": (1, 65500)},
    "noise_param": {"prob": (0, 1), "jpeg": (-1, 100)},
    "distort_param": {
        **{f"{name}_prob": (0, 1) for name in ("brightness", "contrast", "saturation", "hue", "random_order")},
        "brightness_delta": (0, _ANY), "contrast_lower": (0, _ANY), "saturation_lower": (0, _ANY),
        "hue_delta": (0, 180),
    },
    "expand_param": {"prob": (0, 1), "max_expand_ratio": (1, 100)},
    "emit_constraint": {"emit_overlap": (0, 1)},
    "random_resize_param": {"min_size": (1, 65500), "max_size": (1, 65500)},
    "random_aspect_ratio_param": {
        "min_area_ratio": (0, 1), "max_area_ratio": (0, 1), "aspect_ratio_change": (1, 100),
        "max_attempt": (0, MOST_ATTEMPTS),
    },
    "random_resized_crop_param": {
        "prob": (0, 1), "height": (1, 65500), "width": (1, 65500), "area_lower": (0, 1), "area_upper": (0, 1),
        "aspect_lower": (0.01, 100),
    },
    "affine_param": {
        "prob": (0, 1), "rotate": (0, 180), "translate_x": (0, 1), "translate_y": (0, 1), "scale_lower": (0.01, 100),
        "shear_x": (0, 80), "shear_y": (0, 80),
    },
    "color_jitter_param": {
        "prob": (0, 1), "brightness": (0, _ANY), "contrast": (0, _ANY), "saturation": (0, _ANY), "hue": (0, 0.5),
        "gray_prob": (0, 1),
    },
    "rand_augment_param": {"prob": (0, 1), "operations": (0, 14), "magnitude": (0, MOST_MAGNITUDE)},
    "blur_param": {"prob": (0, 1), "sigma_lower": (0.01, 100), "sigma_upper": (0.01, 100)},
    "gaussian_noise_param": {"prob": (0, 1), "std_lower": (0, 255)},
    "jpeg_param": {"prob": (0, 1), "quality_lower": (1, 100), "quality_upper": (1, 100)},
    "erase_param": {
        "prob": (0, 1), "count": (0, MOST_RECTANGLES), "area_lower": (0, 1), "area_upper": (0, 1),
        "aspect_lower": (0.01, 100),
    },
    "mix_param": {
        "prob": (0, 1), "mixup_alpha": (0, 1000), "cutmix_alpha": (0, 1000), "classes": (1, 1 << 24),
        "label_smoothing": (0, 1),
    },
}  # fmt: skip
# By message: the lower ends of ranges whose upper end must not lie below; "" is transform_param itself.
_RANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "": tuple(zip(sizes.NVIDIA[::2], sizes.NVIDIA[1::2], strict=True)),
    "distort_param": (("contrast_lower", "contrast_upper"), ("saturation_lower", "saturation_upper")),
    "random_resize_param": (("min_size", "max_size"),),
    "random_aspect_ratio_param": (("min_area_ratio", "max_area_ratio"),),
    "random_resized_crop_param": (("area_lower", "area_upper"), ("aspect_lower", "aspect_upper")),
    "affine_param": (("scale_lower", "scale_upper"),),
    "blur_param": (("sigma_lower", "sigma_upper"),),
    "gaussian_noise_param": (("std_lower", "std_upper"),),
    "jpeg_param": (("quality_lower", "quality_upper"),),
    "erase_param": (("area_lower", "area_upper"), ("aspect_lower", "aspect_upper")),
}
# Messages with values by channel.
_VALUES = {"resize_param": "pad_value", "affine_param": "pad_value", "erase_param": "value"}
GEOMETRY = (
    "vertical_mirror", "random_90_deg_rot", "resize_param", "expand_param",
    "random_resize_param", "random_aspect_ratio_param", "random_resized_crop_param", "affine_param",
    "rand_augment_param", "allow_upscale", *sizes.NVIDIA,
)  # fmt: skip
"""Fields that say where a pixel goes."""


def check(param: TransformationParameter, wrong: Wrong) -> None:
    """Raise what `wrong` makes of the first setting that cannot be."""
    for name, fields in _LIMITS.items():
        if param.HasField(name):
            _within(getattr(param, name), fields, lambda text, field, name=name: wrong(text, name, field))
    for name, pairs in _RANGES.items():
        if not name or param.HasField(name):
            path = [name] if name else []
            _in_order(getattr(param, name) if name else param, pairs, lambda t, f, path=path: wrong(t, *path, f))
    fraction = param.noise_param.saltpepper_param.fraction
    if not 0 <= fraction <= 1:
        raise wrong(f"fraction is {fraction:g}, from 0 to 1 is expected", "noise_param", "saltpepper_param", "fraction")
    _sizes(param, wrong)
    if param.HasField("mix_param"):
        mix = param.mix_param
        if not (mix.mixup_alpha or mix.cutmix_alpha or mix.label_smoothing):
            raise wrong("mix_param mixes nothing: mixup_alpha or cutmix_alpha above 0 is expected", "mix_param")
        if param.is_mask:
            raise wrong("mix_param cannot mix masks, whose pixels are classes", "mix_param")


def _within(message: Any, fields: dict[str, tuple[float, float]], wrong: Wrong) -> None:
    for field, (least, most) in fields.items():
        value = getattr(message, field)
        if not least <= value <= most:  # NaN is not, either
            expected = f"from {least:g} to {most:g}" if most < math.inf else f"at least {least:g}"
            raise wrong(f"{field} is {value:g}, {expected} is expected", field)


def _in_order(message: Any, pairs: tuple[tuple[str, str], ...], wrong: Wrong) -> None:
    for lower, upper in pairs:
        low, high = getattr(message, lower), getattr(message, upper)
        if not low <= high < math.inf:
            raise wrong(f"{upper} is {high:g}, at least {lower}, {low:g}, is expected", upper)


def _sizes(param: TransformationParameter, wrong: Wrong) -> None:
    """One of the ways to a new size, and one kind of crop."""
    ways = [name for name in _WAYS if param.HasField(name)]
    ways += [next(name for name in sizes.NVIDIA if param.HasField(name))] if sizes.asked_by_nvidia(param) else []
    if len(ways) > 1:
        raise wrong(f"{ways[0]} and {ways[1]} both say to what size images are brought; one is expected", ways[1])
    if bool(param.crop_h) != bool(param.crop_w):
        missing = "crop_w" if param.crop_h else "crop_h"
        raise wrong(
            f"{missing} is 0; crop_h and crop_w are needed both, or none", "crop_h" if param.crop_h else "crop_w"
        )
    if param.crop_size and param.crop_h:
        raise wrong("crop_size and crop_h with crop_w cannot both be set", "crop_h")
    if param.HasField("random_aspect_ratio_param") and not (param.crop_size or param.crop_h):
        text = "random_aspect_ratio_param needs a crop_size, to which its windows are resized"
        raise wrong(text, "random_aspect_ratio_param")
    if param.img_rand_resize_upper and not param.img_rand_resize_lower:
        raise wrong("img_rand_resize_lower is 0, at least 1 is expected with an img_rand_resize_upper",
                    "img_rand_resize_upper")  # fmt: skip
    if param.ignore_label > 255:
        raise wrong(f"ignore_label is {param.ignore_label}, from 0 to 255 is expected", "ignore_label")


_WAYS = ("resize_param", "random_resized_crop_param", "random_aspect_ratio_param", "random_resize_param")


def check_values(param: TransformationParameter, channels: int, wrong: Wrong) -> None:
    """As `check`, of what depends on the images' channels."""
    values = {name: getattr(getattr(param, name), field) for name, field in _VALUES.items()}
    for name, given in values.items():
        if len(given) not in (0, 1, channels):
            field = _VALUES[name]
            text = f"{len(given)} values of {field} for images of {channels} channels: one, or one a channel"
            raise wrong(text, name, field)
    for field in ("decolorize", "convert_to_hsv", "convert_to_lab"):
        if getattr(param.noise_param, field) and channels != 3 and (channels > 1 or field != "decolorize"):
            text = f"{field} is for images of 3 channels, these have {channels}"
            raise wrong(text, "noise_param", field)
    pepper = param.noise_param.saltpepper_param.value
    if len(pepper) not in (0, 1, channels):
        text = (
            f"{len(pepper)} values of saltpepper_param.value for images of {channels} channels: one, or one a channel"
        )
        raise wrong(text, "noise_param", "saltpepper_param")


def idle(param: TransformationParameter) -> Iterator[tuple[tuple[str, ...], str]]:
    """Fields that are set and change nothing here: the path to each, and why."""
    if param.HasField("emit_constraint"):
        yield ("emit_constraint",), "it says which boxes stay, and these records have none"
    for field in ("height_scale", "width_scale"):
        if getattr(param.resize_param, field):
            yield ("resize_param", field), "it is for boxes, and these records have none"
    if param.HasField("noise_param") and not param.noise_param.prob:
        yield ("noise_param",), "its prob is 0, where SSD has it too"
    padding = param.resize_param
    if padding.pad_value and padding.resize_mode != ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
        yield ("resize_param", "pad_value"), "only FIT_LARGE_SIZE_AND_PAD pads"
    for name in COLOURS:
        if param.is_mask and param.HasField(name):
            yield (name,), "is_mask: a mask takes part in the geometry alone"
    if param.HasField("ignore_label") and not param.is_mask:
        yield ("ignore_label",), "it fills masks, and is_mask is not set"
