"""What is done to one record: first its pixels change where they are, then their places, then the result.

rand_augment_param | distort_param, color_jitter_param | affine_param | one View: expand_param, a window, a new size,
a crop, mirrors | random_90_deg_rot | noise_param, blur_param, gaussian_noise_param, jpeg_param, erase_param
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels import interpolation
from brew.cpu.pixels.colours import Scaled, Stage, coloured
from brew.proto.brew_pb2 import ResizeParameter, TransformationParameter

from . import affine, blur, erase, gaussian, jpeg, noise, rand_augment, tables
from .draws import Draws
from .view import Bytes, Points, View, seen


@dataclass(frozen=True, slots=True)
class Plan:
    """All that chance has decided for a record."""

    view: View
    operations: Sequence[tuple[str, float]] = ()  # of RandAugment
    stages: Sequence[Stage] = ()
    order: Sequence[int] = (0, 1, 2)  # of the channels
    mapping: affine.Map | None = None
    mapping_mode: int = ResizeParameter.CONSTANT
    mapping_fill: npt.NDArray[np.uint8] | None = None
    turns: int = 0  # by 90 degrees, counter-clockwise
    size: tuple[int, int] = (0, 0)  # of the record

    def points(self, points: Points) -> Points:
        """Where points (n, 2), x and y in pixels from the upper left corner of the record, are in the result."""
        for name, strength in self.operations:
            if rand_augment.is_geometric(name):
                points = affine.moved(points, rand_augment.mapping(name, strength, *self.size))
        if self.mapping is not None:
            points = affine.moved(points, self.mapping)
        points = self.view.points(points)
        height, width = self.view.crop[2:]
        for _ in range(self.turns):
            points = np.column_stack([points[:, 1], width - points[:, 0]])
            height, width = width, height
        return points

    def image(self, pixels: Bytes, fill: npt.NDArray[np.uint8]) -> Bytes:
        """The pixels (channels, rows, columns) in their new colours and places; `fill` (channels) where nothing is."""
        for name, strength in self.operations:
            pixels = rand_augment.applied(pixels, name, strength, fill)
        if self.mapping is None:
            result = seen(pixels, self.view, fill, self._paint)
        else:
            ground = fill if self.mapping_fill is None else self.mapping_fill
            pixels = affine.mapped(pixels, self.mapping, ground, self.mapping_mode, self._paint)
            result = seen(pixels, self.view, fill)
        return np.rot90(result, self.turns, (1, 2)) if self.turns else result

    def mask(self, pixels: Bytes, ignored: int) -> Bytes:
        """A mask (channels, rows, columns) in its new places, by nearest neighbours; `ignored` where nothing is."""
        fill = np.full(len(pixels), ignored, np.uint8)
        for name, strength in self.operations:
            if rand_augment.is_geometric(name):
                mapping = rand_augment.mapping(name, strength, *pixels.shape[1:])
                pixels = affine.mapped_mask(pixels, mapping, fill)
        if self.mapping is not None:
            pixels = affine.mapped_mask(pixels, self.mapping, fill, self.mapping_mode)
        view = View(
            self.view.window, self.view.size, self.view.crop, interpolation.MIDDLE, self.view.border,
            self.view.border_mode, (float(ignored),), self.view.mirrored, self.view.flipped,
        )  # fmt: skip
        result = seen(pixels, view, fill)
        return np.rot90(result, self.turns, (1, 2)) if self.turns else result

    def _paint(self, pixels: Bytes, place: Bytes) -> None:
        """The stages' colours; of grey images those alone that act on every channel by itself."""
        if len(pixels) >= 3:
            coloured(pixels[:3], self.stages, place[:3], self.order)
            place[3:] = pixels[3:]
            return
        for stage in self.stages:
            if isinstance(stage, Scaled):
                pixels = tables.scaled(pixels, stage.factors[0], stage.summands[0])
        place[...] = pixels


def finished(param: TransformationParameter, draws: Draws, image: Bytes, mean: npt.NDArray[np.uint8]) -> Bytes:
    """The result of a plan after what befalls pictures late: noise, blur, compression, erased parts."""
    if param.HasField("noise_param"):
        image = noise.applied(param.noise_param, draws, image)
    if param.HasField("blur_param"):
        sigma = blur.drawn(param.blur_param, draws.of("blur"))
        image = blur.blurred(image, sigma) if sigma else image
    if param.HasField("gaussian_noise_param"):
        image = gaussian.applied(param.gaussian_noise_param, draws, image)
    if param.HasField("jpeg_param"):
        quality = jpeg.drawn(param.jpeg_param, draws.of("jpeg"))
        image = jpeg.compressed(image, quality) if quality else image
    if param.HasField("erase_param"):
        image = erase.applied(param.erase_param, draws, image, mean)
    return image
