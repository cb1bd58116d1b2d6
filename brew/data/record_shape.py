"""The shapes of records: those that look like height x width x channels, where Caffe's data layers read channels first,
and those that a mean does not fit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from brew.errors import NetError
from brew.layer import Shape, shape_text
from brew.layer.data_layer import DataLayer
from brew.proto.brew_pb2 import TransformationParameter

log = logging.getLogger("brew")

REMEDY = "records are channels x height x width: write image.transpose(2, 0, 1)"
FORCE = (
    "force_color: true in transform_param decodes all images as colour, force_gray: true as grey; records that are not "
    "encoded stay as they were written"
)
_COLOURS = 3, 4  # channels an image may have, where the width should stand
_LEAST = 8  # of height and width


def seems_channels_last(image: Shape) -> bool:
    """Whether (channels, height, width) is an image's (height, width, channels), by all appearance.

    >>> seems_channels_last((8, 10, 3)), seems_channels_last((3, 8, 10)), seems_channels_last((512, 7, 1))
    (True, False, False)
    """
    if len(image) != 3:
        return False
    height, width, channels = image
    return channels in _COLOURS and min(height, width) >= _LEAST and 1 <= 4 * height / width <= 16


def check_mean(param: TransformationParameter, mean: Shape, image: Shape, wrong: Callable[..., NetError]) -> None:
    """Raise `wrong(message, field, hint=)` unless the mean of `param`, of this shape, fits images before the crop."""
    if param.mean_value:
        if mean[0] not in (1, image[0]):
            channels = f"{image[0]} channel{'s' * (image[0] != 1)}"
            text = f"{mean[0]} values of mean_value for images of {channels}: one, or one a channel"
            raise wrong(text, "mean_value", hint=_channels_hint(image))
    elif mean != image:
        text = f"the mean file {param.mean_file} has the shape {shape_text(mean)}, the images (before the crop) have"
        hint = _channels_hint(image) if mean[0] != image[0] else None
        raise wrong(f"{text} {shape_text(image)}", "mean_file", hint=hint)


def _channels_hint(image: Shape) -> str | None:
    """A remedy where the number of channels of an image does not suit the mean."""
    if seems_channels_last(image):
        return REMEDY
    return FORCE if image[0] in (1, *_COLOURS) else None


def mistaken(layer: DataLayer) -> str | None:
    """The warning for a layer whose images seem to have their channels last; None for others."""
    image = layer.image_shape()
    if not seems_channels_last(image):
        return None
    return f"its records are {shape_text(image)}, taken for {image[0]} channels of {image[1]} x {image[2]} pixels"


def warn(layers: Iterable[DataLayer]) -> None:
    """Log a warning for each layer for which `mistaken` has one."""
    for layer in layers:
        what = mistaken(layer)
        if what is not None:
            place = layer.context.place()
            where = f"{place}: " if place else ""
            log.warning('%slayer "%s" (%s): %s (%s)', where, layer.name, layer.type, what, REMEDY)
