"""transform_param: mean, scale, crop and mirror, in Caffe's order and by Caffe's rules (data_transformer.cpp).

Random numbers depend on the record's number, not on a state: after a resume, with another batch size or more threads,
every record has the same crop and mirror.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from pathlib import Path
from typing import Any, Protocol, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels.windows import bring
from brew.errors import DataError, NetError
from brew.files.paths import find
from brew.layer import TRAIN, Context, Shape, shape_text
from brew.layer.random import Stream
from brew.proto.brew_pb2 import TransformationParameter

from .datum import Pixels
from .images.decoding import ImageRule
from .record_shape import REMEDY, seems_channels_last

_FORCE = (
    "force_color: true in transform_param decodes all images as colour, force_gray: true as grey; records that are not "
    "encoded stay as they were written"
)
_WORDS = 4  # random words per record: mirror, row, column, one to spare
_STRETCH = 256  # records whose words are drawn at once

_Numbers: TypeAlias = npt.NDArray[np.int64]


class Augmentation(Protocol):
    """What happens to an image before mean, crop, mirror and scale: a function of it and its record's number alone.

    It runs on several threads at once, and what it gives must not depend on that.
    """

    def shape(self, image: Shape) -> Shape:
        """(channels, height, width) of what it makes of images of this shape; NetError where it can make nothing."""

    def __call__(self, pixels: Pixels, number: int) -> Pixels:
        """The image of record `number`, of the shape above, from `pixels` (channels, height, width): uint8 or float32,
        often a read-only view of memory with channels last, which stays as it is."""


class Transformer:
    """y = (x - mean) * scale of a window of every image, mirrored by chance.

    mirror      a coin per record, in TEST as well
    crop_size   a square window: anywhere in TRAIN, the middle in TEST (half a pixel up and left where it is odd)
    mean_file   of the size of the whole image; its value at the pixel's own position is subtracted
    mean_value  one for all channels, or one per channel
    scale       after the mean; pixels of bytes count 0 to 255

    upright, decode_at_least: how images are decoded (images.decoding.ImageRule)

    `augmentation` may be set before the first shape is asked for; it works on images before all of this. `mean` is
    float32 (channels, height, width) of the file, or (values, 1, 1), or None. `seed` may be set anew (a resume), and so
    may `draws`, the name the random numbers are drawn under. The layer is known by `name` and `kind`, its type, alone:
    prefetch threads hold the transformer, and through the layer itself they would keep each other alive.
    """

    def __init__(self, param: TransformationParameter, context: Context, name: str, kind: str) -> None:
        self.param = param
        self.phase = context.phase
        self.seed: SupportsIndex = context.seed
        self._name = name
        self.draws = name  # the key of the random numbers: two layers may draw alike
        self._kind = kind
        self._place = context.place
        self.crop: int = param.crop_size
        self.rule = ImageRule(param.force_color, param.force_gray, param.upright, param.decode_at_least)
        self.augmentation: Augmentation | None = None
        self._drawn: tuple[tuple[int, str] | None, int, npt.NDArray[np.uint64]] = None, 0, np.empty((0, 0), np.uint64)
        if param.force_color and param.force_gray:
            raise self._error("force_color and force_gray cannot both be set", "force_gray")
        if param.HasField("mean_file") and param.mean_value:
            raise self._error("mean_file and mean_value cannot both be set", "mean_value")
        self.scale: float = param.scale
        self.mean: npt.NDArray[np.float32] | None = None
        if param.HasField("mean_file"):
            self.mean = self._read_mean(context.folder, context.place("transform_param", "mean_file"))
        elif param.mean_value:
            self.mean = np.array(param.mean_value, np.float32).reshape(-1, 1, 1)

    @property
    def random_crop(self) -> int:
        """The side of a random crop; 0 where there is none, or the middle is cropped."""
        return self.crop if self.phase == TRAIN else 0

    @property
    def random(self) -> bool:
        """Whether the result for a record depends on its number."""
        return bool(self.param.mirror or self.random_crop)

    def output_shape(self, image: Shape) -> Shape:
        """(channels, height, width) after the transformation of images of shape `image`; checks that they fit it."""
        if self.augmentation is not None:
            image = self.augmentation.shape(image)
        channels, height, width = image
        if self.mean is not None:
            self._check_mean(self.mean.shape, image)
        if not self.crop:
            return image
        if self.crop > min(height, width):
            size = f"{self.crop} x {self.crop}"
            hint = REMEDY if seems_channels_last(image) else None
            text = f"a crop of {size} does not fit into images of {height} x {width}"
            raise self._error(text, "crop_size", hint=hint)
        return channels, self.crop, self.crop

    def batch_shape(self, images: Pixels | Sequence[Pixels], name: Callable[[int], str]) -> Shape:
        """(channels, height, width) after the transformation of every image of a batch.

        DataError, with `name(number)` of the image, where they do not all come out with one size.
        """
        expected = self.output_shape(images[0].shape)
        for number, image in enumerate(images if isinstance(images, list) else ()):
            if image.shape[0] != images[0].shape[0]:
                raise DataError(
                    f"{name(number)} has {image.shape[0]} channels, the batch begins with {images[0].shape[0]}",
                    hint=_FORCE,
                )
            if image.shape != images[0].shape and self.output_shape(image.shape) != expected:
                raise DataError(
                    f"{name(number)} is {shape_text(image.shape)}, the batch begins with {shape_text(images[0].shape)}",
                    hint="images of different sizes need batch_size: 1, a crop_size, or resizing",
                )
        return expected

    def __call__(self, images: Pixels | Sequence[Pixels], first: int, out: npt.NDArray[Any]) -> None:
        """Transform `images` into `out` (images, channels, height, width); `first` is the first one's record number."""
        if self.augmentation is not None:
            images = [self.augmentation(image, first + i) for i, image in enumerate(images)]
        windows = self._windows(images, first) if self.crop or self.random else None
        if bring(images, windows, self.mean, self.scale, out):
            return
        rows, columns, mirrors = windows or np.zeros((3, len(images)), np.int64)
        if not isinstance(images, np.ndarray) or self.random:
            for image, row, column, mirror, y in zip(images, rows, columns, mirrors, out, strict=True):
                self._one(image, int(row), int(column), bool(mirror), y)
        else:
            self._one(images, int(rows[0]), int(columns[0]), False, out)
        if self.scale != 1:
            with np.errstate(over="ignore"):  # infinity, as in Caffe; the loss shows it
                np.multiply(out, out.dtype.type(self.scale), out=out)

    def place(self, image: Pixels, number: int, out: npt.NDArray[Any]) -> None:
        """Transform one image, record number `number`, into `out` (channels, height, width), its slot of a batch.

        Any thread may call it: the result is a function of image and number. DataError where it has another size.
        """
        shape = self.output_shape(image.shape)
        if shape != out.shape:
            raise DataError(f"it is {shape_text(shape)}, the batch has images of {shape_text(out.shape)}")
        self([image], number, out[None])

    def _one(self, x: Pixels, row: int, column: int, mirror: bool, y: npt.NDArray[Any]) -> None:
        """One image, or a batch of them that are treated alike, without the scale."""
        height, width = y.shape[-2:]
        window = (..., slice(row, row + height), slice(column, column + width))
        mean = self.mean
        if mean is not None and mean.shape[1:] != (1, 1):
            mean = mean[window]
        x = x[window]
        if mirror:
            x = x[..., ::-1]
            mean = mean[..., ::-1] if mean is not None else None
        if mean is None:
            y[...] = x
        else:
            np.subtract(x, mean, out=y, casting="same_kind")

    def _windows(self, images: Pixels | Sequence[Pixels], first: int) -> tuple[_Numbers, _Numbers, _Numbers]:
        """Where every record's window starts (row, column) and whether (1) it is mirrored."""
        count = len(images)
        words = self._words(first, count) if self.random else np.zeros((count, _WORDS), np.uint64)
        mirrors = (words[:, 0] & np.uint64(self.param.mirror)).astype(np.int64)
        if not self.crop:
            return np.zeros(count, np.int64), np.zeros(count, np.int64), mirrors
        if isinstance(images, np.ndarray):
            sizes = np.array([images.shape[-2:]], np.uint64)
        else:
            sizes = np.array([image.shape[-2:] for image in images], np.uint64)
        spare = sizes - np.uint64(self.crop)
        starts = words[:, 1:3] % (spare + np.uint64(1)) if self.phase == TRAIN else spare // np.uint64(2)
        rows, columns = np.broadcast_to(starts, (count, 2)).astype(np.int64).T
        return rows, columns, mirrors

    def _words(self, first: int, count: int) -> npt.NDArray[np.uint64]:
        """The random words of `count` records; those of a stretch of records are drawn at once, and kept."""
        drawn_for = index(self.seed), self.draws
        held_for, start, words = self._drawn  # replaced as one: another thread may draw meanwhile
        if held_for != drawn_for or not start <= first <= first + count <= start + len(words):
            start, many = first // _STRETCH * _STRETCH, first % _STRETCH + max(count, _STRETCH)
            stream = Stream(self.seed, f"{self.draws}/transform")
            words = stream.words(many * _WORDS, block=start).reshape(many, _WORDS)
            self._drawn = drawn_for, start, words
        return words[first - start : first - start + count]

    # --- the mean ---------------------------------------------------------------------------------------------------

    def _read_mean(self, folder: Path, place: Any) -> npt.NDArray[np.float32]:
        from brew.files.weights.caffemodel import read_blob

        path = find(self.param.mean_file, folder, what=f'layer "{self._name}": mean_file', place=place)
        blob = read_blob(path)
        shape = tuple(blob.shape)
        if len(shape) == 4 and shape[0] == 1:
            shape = shape[1:]
        if len(shape) != 3:
            raise DataError(
                f"mean file {path} has the shape {shape_text(blob.shape)}; channels x height x width is expected",
                place=place,
            )
        return np.asarray(blob.data, np.float32).reshape(shape)

    def _check_mean(self, mean: Shape, image: Shape) -> None:
        if self.param.mean_value:
            if mean[0] not in (1, image[0]):
                channels = f"{image[0]} channel{'s' * (image[0] != 1)}"
                text = f"{mean[0]} values of mean_value for images of {channels}: one, or one a channel"
                raise self._error(text, "mean_value", hint=_channels_hint(image))
        elif mean != image:
            raise self._error(
                f"the mean file {self.param.mean_file} has the shape {shape_text(mean)}, the images (before the "
                f"crop) have {shape_text(image)}",
                "mean_file",
                hint=_channels_hint(image) if mean[0] != image[0] else None,
            )

    def _error(self, message: str, field: str, hint: str | None = None) -> NetError:
        text = f'layer "{self._name}" ({self._kind}): {message}'
        return NetError(text, place=self._place("transform_param", field), hint=hint)


def _channels_hint(image: Shape) -> str | None:
    """A remedy where the number of channels of an image does not suit the mean."""
    if seems_channels_last(image):
        return REMEDY
    return _FORCE if image[0] in (1, 3, 4) else None
