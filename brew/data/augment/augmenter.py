"""transform_param's augmentations for one phase: decides what is done to each record, and does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels.colours import Stage
from brew.proto.brew_pb2 import TransformationParameter

from . import CHANCE, affine, distort, jitter, rand_augment, sizes, windows
from .draws import Draws
from .plan import Plan, finished
from .sizes import Target
from .view import Bytes, Rectangle, View, as_bytes

_SIZES = ("resize_param", "random_resize_param", "random_resized_crop_param")  # that act in TEST too


@lru_cache(64)
def _fill(values: tuple[float, ...], channels: int) -> npt.NDArray[np.uint8]:
    filled = as_bytes(np.broadcast_to(np.array(values), channels))
    filled.flags.writeable = False
    return filled


class Augmenter:
    """Acts on records of bytes. In TEST (not `training`) sizes alone count, and nothing is random.

    `mean` is what fills a larger canvas and erased parts: one number, or one for each channel.
    """

    def __init__(self, param: TransformationParameter, *, training: bool, mean: Sequence[float]) -> None:
        self.param, self.training = param, training
        self._crop = sizes.crop_of(param)
        self.mean = mean or (0.0,)

    @property
    def acts(self) -> bool:
        """Whether it does anything at all in this phase."""
        param = self.param
        sized = any(param.HasField(name) for name in _SIZES) or sizes.asked_by_nvidia(param)
        return sized or self.random

    @property
    def random(self) -> bool:
        """Whether something depends on the record's number."""
        param = self.param
        if not self.training:
            return False
        drawn = any(param.HasField(name) for name in (*_SIZES, *CHANCE))
        return drawn or sizes.asked_by_nvidia(param) or param.vertical_mirror or param.random_90_deg_rot

    def fill(self, channels: int) -> npt.NDArray[np.uint8]:
        """The mean as bytes (channels), or the label of nothing for a mask."""
        if self.param.is_mask:
            return np.full(channels, self.param.ignore_label, np.uint8)
        return _fill(tuple(self.mean), channels)

    def size(self, height: int, width: int) -> tuple[int, int] | None:
        """(height, width) of a record of this size before the crop; None where it is another from record to record."""
        param, chance = self.param, self.training
        if param.HasField("random_resized_crop_param"):
            return param.random_resized_crop_param.height, param.random_resized_crop_param.width
        varies = chance and param.HasField("expand_param")
        if chance and (param.HasField("random_aspect_ratio_param") or param.HasField("random_resize_param")):
            return self._crop if param.HasField("random_aspect_ratio_param") else None
        if chance and sizes.asked_by_nvidia(param):
            return None
        if param.HasField("resize_param") and chance and param.resize_param.prob < 1:
            return None
        if param.HasField("resize_param") and param.resize_param.resize_mode != param.resize_param.FIT_SMALL_SIZE:
            return param.resize_param.height, param.resize_param.width
        return None if varies else self.frame(None, (0, 0, height, width), height, width).bordered

    def canvas(self, draws: Draws | None, height: int, width: int) -> Rectangle:
        """What a record of this size lies on: top, left, bottom, right in its pixels."""
        if draws is None or not self.training or not self.param.HasField("expand_param"):
            return 0, 0, height, width
        return windows.canvas(self.param.expand_param, draws.of("expand"), height, width)

    def frame(self, draws: Draws | None, window: Rectangle, height: int, width: int) -> View:
        """What is seen of `window` (of the canvas, or of a part of it), and in what size; without crop and mirror."""
        param = self.param
        draws = draws if self.training else None
        top, left, bottom, right = window
        rows, columns = bottom - top, right - left
        inner: Rectangle = (0, 0, rows, columns)
        target: Target | None = Target((rows, columns))
        draw = draws.of("resize") if draws is not None else None
        crop = draws.of("crop") if draws is not None else None
        if param.HasField("random_resized_crop_param"):
            wanted = param.random_resized_crop_param
            inner = windows.resized(wanted, crop, rows, columns)
            target = Target((wanted.height, wanted.width), sizes.interpolation(wanted.interp_mode, draw))
        elif param.HasField("random_aspect_ratio_param") and crop is not None and self._crop is not None:
            wish = param.random_aspect_ratio_param
            inner = windows.changed_aspect(wish, crop, rows, columns)
            target = Target(self._crop, sizes.interpolation(wish.resize_param.interp_mode, draw))
        elif param.HasField("random_resize_param"):
            target = sizes.shorter_side(param.random_resize_param, draw, rows, columns)
        elif sizes.asked_by_nvidia(param):
            target = sizes.nvidia(param, draw, rows, columns, self._crop or (0, 0))
        elif param.HasField("resize_param"):
            target = sizes.fixed(param.resize_param, draw, rows, columns) or target
        assert target is not None
        place = (top + inner[0], left + inner[1], top + inner[2], left + inner[3])
        view = View(
            place, target.size, (0, 0, 0, 0), target.mode, target.border, param.resize_param.pad_mode,
            tuple(param.resize_param.pad_value) or (0.0,),
        )  # fmt: skip
        return replace(view, crop=(0, 0, *view.bordered))

    def plan(self, image: Bytes, draws: Draws, view: View) -> Plan:
        """What is done to a record; `view` is that of `frame`, with crop and mirror."""
        param = self.param
        size = image.shape[1], image.shape[2]
        if not self.training:
            return Plan(view, size=size)
        stages, order = self._colours(image, draws)
        mapping, mode, fill = None, param.affine_param.pad_mode, None
        if param.HasField("affine_param"):
            mapping = affine.drawn(param.affine_param, draws.of("affine"), *size)
            if param.affine_param.pad_value and not param.is_mask:
                values = np.broadcast_to(np.array(param.affine_param.pad_value), len(image))
                fill = as_bytes(values)
        operations: list[tuple[str, float]] = []
        if param.HasField("rand_augment_param"):
            operations = rand_augment.drawn(param.rand_augment_param, draws.of("rand_augment"))
        flip = draws.of("flip")
        flipped, turns = flip.chance(0.5) and param.vertical_mirror, flip.below(4) if param.random_90_deg_rot else 0
        return Plan(replace(view, flipped=flipped), operations, stages, order, mapping, mode, fill, turns, size)

    def _colours(self, image: Bytes, draws: Draws) -> tuple[list[Stage], Sequence[int]]:
        param, stages, order = self.param, list[Stage](), [0, 1, 2]
        if param.is_mask:
            return stages, order
        if param.HasField("distort_param"):
            stages, order = distort.drawn(param.distort_param, draws.of("distort"))
        if param.HasField("color_jitter_param"):
            stages = stages + jitter.drawn(param.color_jitter_param, draws.of("jitter"), image)
        return stages, order

    def applied(self, image: Bytes, plan: Plan, draws: Draws) -> Bytes:
        """The record (channels, rows, columns) after its plan, as bytes."""
        if self.param.is_mask:
            return plan.mask(image, self.param.ignore_label)
        fill = self.fill(len(image))
        result = plan.image(image, fill)
        return finished(self.param, draws, result, fill) if self.training else result
