"""transform_param: mean, scale, crop and mirror, in Caffe's order and by Caffe's rules (data_transformer.cpp).

Random numbers depend on the record's number, not on a state: after a resume, with another batch size or more threads,
every record has the same crop and mirror.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels.held import HeldWindows, Layout, can_hold, layout
from brew.cpu.pixels.windows import Window, WindowCopy
from brew.errors import DataError, NetError
from brew.layer import TRAIN, Context, Shape, shape_text
from brew.layer.random import BLOCK, RecordWords
from brew.proto.brew_pb2 import TransformationParameter

from .augment import asked_for
from .augment.draws import Draws
from .augment.sizes import crop_of
from .datum import Pixels
from .images.decoding import ImageRule
from .images.mean_file import read_mean
from .mixing import LabelTop
from .prefetch import Batch, Top
from .record_shape import FORCE, REMEDY, check_mean, seems_channels_last

if TYPE_CHECKING:
    from .augmentation import Augmentation, Start

log = logging.getLogger("brew")


Form: TypeAlias = tuple[Shape, Layout | None]
"""(channels, height, width) of a batch's images, and how they are held as bytes; None: they are numbers."""
_Numbers: TypeAlias = npt.NDArray[np.int64]


class Transformer:
    """y = (x - mean) * scale of a window of every image, mirrored by chance.

    mirror      a coin per record, in TEST as well
    crop_size   a square window: anywhere in TRAIN, the middle in TEST (half a pixel up and left where it is odd);
                crop_h and crop_w are the height and width of another one
    mean_file   of the size of the whole image; its value at the pixel's own position is subtracted
    mean_value  one for all channels, or one per channel
    scale       after the mean; pixels of bytes count 0 to 255

    upright, decode_at_least: how images are decoded (images.decoding.ImageRule)

    `augmentation` changes images before all of this, and may crop and mirror them itself; None where nothing is set.
    `mean` is float32 (channels, height, width) of the file, or (values, 1, 1), or None. `seed` may be set anew (a
    resume), and so may `draws`, the name the random numbers are drawn under. The layer is known by `name` and `kind`,
    its type, alone: prefetch threads hold the transformer, and through the layer itself they would keep each other
    alive.
    """

    def __init__(
        self,
        param: TransformationParameter,
        context: Context,
        name: str,
        kind: str,
        *,
        mean: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """`mean` stands for the contents of mean_file, which is not read then."""
        self.param = param
        self.phase = context.phase
        self.seed: SupportsIndex = context.seed
        self._name = name
        self.draws = name  # the key of the random numbers: two layers may draw alike
        self._kind = kind
        self._place, self._dtype = context.place, context.dtype
        self.crop = crop_of(param)  # (height, width)
        self.rule = ImageRule(param.force_color, param.force_gray, param.upright, param.decode_at_least)
        self._words = RecordWords()  # mirror, row, column, one to spare
        if param.force_color and param.force_gray:
            raise self._wrong("force_color and force_gray cannot both be set", "force_gray")
        if param.HasField("mean_file") and param.mean_value:
            raise self._wrong("mean_file and mean_value cannot both be set", "mean_value")
        self.scale: float = param.scale
        self.mean = mean
        if mean is None and param.HasField("mean_file"):
            place = context.place("transform_param", "mean_file")
            self.mean = read_mean(param.mean_file, context.folder, f'layer "{name}": mean_file', place)
        elif mean is None and param.mean_value:
            self.mean = np.array(param.mean_value, np.float32).reshape(-1, 1, 1)
        self.augmentation = self._augmentation()
        self.labels = LabelTop(param, self.phase, self._wrong)
        self._copy = WindowCopy(self.mean, self.scale)

    def _augmentation(self) -> Augmentation | None:
        """None where nothing acts; most layers set no field of it, and need not load it."""
        if not asked_for(self.param):
            return None
        from .augmentation import Augmentation, tell_idle

        tell_idle(self.param, self._tell)
        means = [] if self.mean is None else self.mean.mean((1, 2)).tolist()
        augmentation = Augmentation(self.param, self.phase, means, self._wrong)
        return augmentation if augmentation.acts else None

    @property
    def random_crop(self) -> Shape:
        """(height, width) of a random crop; () where there is none, or the middle is cropped."""
        return self.crop if self.phase == TRAIN and self.crop else ()

    @property
    def geometry(self) -> tuple[tuple[str, str], ...]:
        """Fields, besides crop and mirror, that say where the pixels of a record go, with what they say."""
        return self.augmentation.geometry if self.augmentation is not None else ()

    @property
    def random(self) -> bool:
        """Whether the result for a record depends on its number."""
        return bool(self.param.mirror or self.random_crop or (self.augmentation and self.augmentation.random))

    def output_shape(self, image: Shape) -> Shape:
        """(channels, height, width) after the transformation of images of shape `image`; checks that they fit it."""
        if self.augmentation is not None:
            image = self.augmentation.shape(image)
        channels, height, width = image
        if self.mean is not None:
            check_mean(self.param, self.mean.shape, image, self._wrong)
        if self.crop is None or self._crops_before:
            return image
        if self.crop[0] > height or self.crop[1] > width:
            hint = REMEDY if seems_channels_last(image) else None
            text = f"a crop of {shape_text(self.crop)} does not fit into images of {height} x {width}"
            raise self._wrong(text, "crop_size" if self.param.crop_size else "crop_h", hint=hint)
        return channels, *self.crop

    @property
    def _crops_before(self) -> bool:
        """Whether the augmentation has cropped and mirrored what it gives."""
        return self.augmentation is not None and self.augmentation.crops

    def batch_shape(self, images: Pixels | Sequence[Pixels], name: Callable[[int], str]) -> Shape:
        """(channels, height, width) after the transformation of every image of a batch.

        DataError, with `name(number)` of the image, where they do not all come out with one size.
        """
        expected = self.output_shape(images[0].shape)
        for number, image in enumerate(images if isinstance(images, list) else ()):
            if image.shape[0] != images[0].shape[0]:
                raise DataError(
                    f"{name(number)} has {image.shape[0]} channels, the batch begins with {images[0].shape[0]}",
                    hint=FORCE,
                )
            if image.shape != images[0].shape and self.output_shape(image.shape) != expected:
                raise DataError(
                    f"{name(number)} is {shape_text(image.shape)}, the batch begins with {shape_text(images[0].shape)}",
                    hint="images of different sizes need batch_size: 1, a crop_size, or resizing",
                )
        return expected

    def __call__(
        self,
        images: Pixels | Sequence[Pixels],
        first: int,
        out: npt.NDArray[Any],
        name: Callable[[int], str] | None = None,
    ) -> None:
        """Transform `images` into `out` (images, channels, height, width); `first` is the first one's record number.

        DataError, with `name(i)` of the image, where one cannot be augmented.
        """
        if self.augmentation is not None:
            images = [self._augmented(image, first + i, name and partial(name, i)) for i, image in enumerate(images)]
        windows = self._windows(images, first) if (self.crop or self.random) and not self._crops_before else None
        self._copy(images, windows, out)

    def place(self, image: Pixels, number: int, images: Top, slot: int, name: Callable[[], str] | None = None) -> None:
        """Transform one image, record number `number`, into its slot of a batch's images.

        Any thread may call it: the result is a function of image and number. DataError where it has another size, is no
        bytes in a batch of bytes, or, with its name, where it cannot be augmented.
        """
        shape = self.output_shape(image.shape)
        if shape != images.shape[1:]:
            raise DataError(f"it is {shape_text(shape)}, the batch has images of {shape_text(images.shape[1:])}")
        if self.augmentation is not None:
            image = self._augmented(image, number, name)
        window = (0, 0, False) if self._crops_before else self._window(image.shape[1], image.shape[2], number)
        if isinstance(images, np.ndarray):
            self._copy.one(image, window, images[slot])
        elif image.dtype == np.uint8:
            images.put(slot, np.asarray(image, np.uint8), window)
        else:
            raise DataError("its pixels are float_data, the batch's are bytes")

    def refer(self, images: npt.NDArray[np.uint8], first: int, held: HeldWindows) -> None:
        """Transform a batch of bytes that is not augmented: `held` refers to `images`, which must not change."""
        windows = self._windows(images, first) if self.crop or self.random else None
        held.refer(images, windows, self.crop or images.shape[2:])

    @property
    def _may_hold(self) -> bool:
        return self._dtype == np.float32 and not self.labels.mixes

    def held(self) -> HeldWindows | None:
        """What holds the images of a batch as bytes; None where they have to be numbers."""
        return HeldWindows(self._copy) if self._may_hold else None

    def holds(self, image: Shape, dtype: npt.DTypeLike) -> bool:
        """Whether a batch of such images is held as bytes."""
        return self._may_hold and can_hold(dtype, self.output_shape(image)[2])

    def form(self, images: Pixels | Sequence[Pixels]) -> Form:
        """What a batch is that begins with these images."""
        shape, first = self.output_shape(images[0].shape), images[0]
        if not (self.holds(first.shape, first.dtype) and all(image.dtype == first.dtype for image in images)):
            return shape, None
        return shape, layout(first) if self.augmentation is None else "planes"  # as augmented images are

    def tops(self, batch: Batch, records: int, form: Form) -> tuple[Top, list[npt.NDArray[Any]]]:
        """The images of a batch of so many records, and its labels if it has them, to be written."""
        shape, how = form
        shapes = [(records, *shape), self.labels.shape(records)]
        return batch.hold(shapes[: batch.count], how)

    def finish(
        self, images: Top, tops: Sequence[npt.NDArray[Any]], labels: npt.ArrayLike, numbers: Sequence[int],
        name: Callable[[int], str],
    ) -> None:  # fmt: skip
        """Write the labels of a batch whose images are there, and mix both where mix_param says so.

        `numbers` are those of the records, `name(i)` names the i-th of the batch. DataError for labels that are no
        class of mix_param's.
        """
        self.labels.write(images, tops, labels, name, lambda number: Draws(self.seed, self.draws, numbers[number]))

    def _augmented(self, image: Pixels, number: int, name: Callable[[], str] | None) -> Pixels:
        assert self.augmentation is not None
        try:
            return self.augmentation(image, Draws(self.seed, self.draws, number), self.start(number))
        except DataError as error:
            of = f"{name()}: " if name is not None else ""
            raise DataError(f"{of}{error.message}", hint=error.hint) from None

    def start(self, number: int) -> Start:
        """Where the crop of record `number` begins, by its size, and whether it is mirrored."""
        return lambda height, width: self._window(height, width, number)

    def _window(self, height: int, width: int, number: int) -> Window:
        """Where the window of record `number`, of this size, begins, and whether it is mirrored."""
        words = (
            self._words.of(self.seed, f"{self.draws}/transform", number, 1)[0].tolist() if self.random else [0] * BLOCK
        )
        mirrored = bool(words[0] & self.param.mirror)
        if self.crop is None:
            return 0, 0, mirrored
        spare = height - self.crop[0], width - self.crop[1]
        if self.phase == TRAIN:
            return words[1] % (spare[0] + 1), words[2] % (spare[1] + 1), mirrored
        return spare[0] // 2, spare[1] // 2, mirrored

    def _windows(self, images: Pixels | Sequence[Pixels], first: int) -> tuple[_Numbers, _Numbers, _Numbers]:
        """The same of each of `images`, in arrays: rows, columns, and 1 where it is mirrored."""
        words = self._random_words(first, len(images))
        mirrors = (words[:, 0] & np.uint64(self.param.mirror)).astype(np.int64)
        if self.crop is None:
            return np.zeros(len(images), np.int64), np.zeros(len(images), np.int64), mirrors
        listed = images[:1] if isinstance(images, np.ndarray) else images
        spare = np.array([image.shape[-2:] for image in listed], np.uint64) - np.array(self.crop, np.uint64)
        starts = words[:, 1:3] % (spare + np.uint64(1)) if self.phase == TRAIN else spare // np.uint64(2)
        rows, columns = np.broadcast_to(starts, (len(images), 2)).astype(np.int64).T
        return rows, columns, mirrors

    def _random_words(self, first: int, count: int) -> npt.NDArray[np.uint64]:
        if not self.random:
            return np.zeros((count, BLOCK), np.uint64)
        return self._words.of(self.seed, f"{self.draws}/transform", first, count)

    def _wrong(self, message: str, *path: str, hint: str | None = None) -> NetError:
        return NetError(self._said(message), place=self._place("transform_param", *path), hint=hint)

    def _tell(self, message: str, path: tuple[str, ...]) -> None:
        place = self._place("transform_param", *path)
        log.warning("%s%s", f"{place}: " if place else "", self._said(message))

    def _said(self, message: str) -> str:
        return f'layer "{self._name}" ({self._kind}): {message}'
