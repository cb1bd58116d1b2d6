"""A data layer's augmentations: between the record as it is decoded and mean, crop, mirror and scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from google.protobuf.message import Message

from brew.errors import DataError, NetError
from brew.layer import TRAIN, Shape, shape_text
from brew.proto.brew_pb2 import TransformationParameter

from .augment import settings, sizes
from .augment.augmenter import Augmenter
from .augment.draws import Draws
from .augment.plan import Plan
from .augment.sizes import crop_of
from .augment.view import Bytes
from .datum import Pixels

Wrong: TypeAlias = Callable[..., NetError]
Start: TypeAlias = Callable[[int, int], tuple[int, int, bool]]
"""Of an image of (height, width): row and column where its crop begins, and whether it is mirrored."""

_NOT_OF_PLACES = ("interp_mode", "pad_value")
_UNDER_A_MEAN_FILE = ("vertical_mirror", "random_90_deg_rot", "expand_param", "affine_param", "rand_augment_param")


class Augmentation:
    """What happens to a record: a function of its pixels and its number alone, on any thread.

    `crops`: what it gives is cropped and mirrored already (all that moves pixels is done at once). Under a mean file it
    is not: that has a value for each pixel before the crop.
    """

    def __init__(self, param: TransformationParameter, phase: int, mean: Sequence[float], wrong: Wrong) -> None:
        """`mean` by channel; `wrong(message, *path)` makes an error that is placed at a field. NetError."""
        self._param, self._wrong, self._crop = param, wrong, crop_of(param)
        self._shapes: dict[Shape, Shape] = {}  # that were asked for
        settings.check(param, wrong)
        self.augmenter = Augmenter(param, training=phase == TRAIN, mean=mean)
        self.crops = not param.HasField("mean_file")
        for field in _UNDER_A_MEAN_FILE:
            if not self.crops and (param.HasField(field) and getattr(param, field)):
                text = f"{field} moves pixels, and the values of mean_file stay where they are; use mean_value"
                raise wrong(text, field)

    @property
    def acts(self) -> bool:
        return self.augmenter.acts

    @property
    def random(self) -> bool:
        return self.augmenter.random

    @property
    def geometry(self) -> tuple[tuple[str, str], ...]:
        """Fields that say where pixels go, and what they say; without those of which a mask has its own."""
        found = []
        for name in settings.GEOMETRY:
            value = getattr(self._param, name)
            if isinstance(value, Message):
                if self._param.HasField(name):
                    found.append((name, str(_placing(value))))
            elif value != self._param.DESCRIPTOR.fields_by_name[name].default_value:
                found.append((name, str(value)))
        return tuple(found)

    def shape(self, image: Shape) -> Shape:
        """(channels, height, width) of what it makes of images of this shape. NetError where that is impossible."""
        if image not in self._shapes:
            self._shapes[image] = self._shape(image)
        return self._shapes[image]

    def _shape(self, image: Shape) -> Shape:
        channels, height, width = image
        settings.check_values(self._param, channels, self._wrong)
        size = self.augmenter.size(height, width)
        if size is None and (not self.crops or self._crop is None):
            field = _varying(self._param)
            text = f"{field} makes images of many sizes"
            if not self.crops:
                raise self._wrong(f"{text}, and mean_file is for one; use mean_value", field)
            raise self._wrong(f"{text}; crop_size or resize_param brings them to one", field)
        if self._crop is not None and self.crops:
            if size is not None and (self._crop[0] > size[0] or self._crop[1] > size[1]):
                text = f"a crop of {shape_text(self._crop)} does not fit into images of {shape_text(size)}"
                raise self._wrong(text, "crop_size" if self._param.crop_size else "crop_h")
            size = self._crop
        assert size is not None
        if self._param.random_90_deg_rot and self.augmenter.training and size[0] != size[1]:
            raise self._wrong(f"random_90_deg_rot is for squares, images are {shape_text(size)}", "random_90_deg_rot")
        return channels, *size

    def plan(self, pixels: Bytes, draws: Draws, start: Start) -> Plan:
        """What is done to a record; boxes and points follow it (`Plan.points`). DataError for a record too small."""
        height, width = pixels.shape[1:]
        view = self.augmenter.frame(draws, self.augmenter.canvas(draws, height, width), height, width)
        if self.crops:
            size, crop = view.bordered, self._crop or view.bordered
            if crop[0] > size[0] or crop[1] > size[1]:
                raise DataError(
                    f"it comes out as {shape_text(size)}: a crop of {shape_text(crop)} does not fit into it"
                )
            row, column, mirrored = start(*size)
            view = view.cropped(row, column, *crop, mirrored=mirrored, flipped=False)
        return self.augmenter.plan(pixels, draws, view)

    def __call__(self, pixels: Pixels, draws: Draws, start: Start) -> Pixels:
        """The record (channels, rows, columns), of the shape above. DataError where it cannot be."""
        if pixels.dtype != np.uint8:
            raise DataError("its pixels are float_data; augmentation is for bytes")
        image = np.asarray(pixels, np.uint8)
        plan = self.plan(image, draws, start)
        return np.ascontiguousarray(self.augmenter.applied(image, plan, draws))


def _placing(message: Message) -> Message:
    """A copy without interpolations and paddings, which do not say where pixels go; also in the messages within."""
    alike = type(message)()
    alike.CopyFrom(message)
    for field, value in message.ListFields():
        if field.name in _NOT_OF_PLACES:
            alike.ClearField(field.name)
        elif isinstance(value, Message):
            getattr(alike, field.name).CopyFrom(_placing(value))
    return alike


def _varying(param: TransformationParameter) -> str:
    """The field that makes sizes differ."""
    for name in ("expand_param", "random_resize_param", "random_aspect_ratio_param"):
        if param.HasField(name):
            return name
    nvidia = (name for name in sizes.NVIDIA if param.HasField(name))
    return next(nvidia, "resize_param")


def tell_idle(param: TransformationParameter, tell: Callable[[str, tuple[str, ...]], None]) -> None:
    """`tell(message, path)` for each field that is set and changes nothing."""
    for path, why in settings.idle(param):
        tell(f"{path[-1]} has no effect: {why}", path)
