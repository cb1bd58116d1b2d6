"""The images of a list, and batches made of them: what ImageData reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brew.cpu import threads
from brew.errors import DataError, Place
from brew.files.paths import is_there
from brew.layer import Shape

from .bad_records import BadRecords
from .image import read_image
from .image_list import ImageList, remedy
from .order import Order
from .prefetch import Batch
from .resize import resize
from .transformer import Transformer


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """The files of a list and how they are read: `prefix` before each name, then colour and size of the image."""

    images: ImageList
    prefix: str
    color: bool = True
    size: tuple[int, int] | None = None  # height, width; None: as it is

    def path(self, number: int) -> Path:
        path = Path(self.prefix + self.images.names[number])
        with suppress(RuntimeError):  # a ~ that is no user's home is part of a name
            return path.expanduser()
        return path

    def load(self, number: int) -> npt.NDArray[np.uint8]:
        """Image `number` (channels, height, width), BGR or gray; DataError, placed in the list."""
        image = self._read(number)
        return image if self.size is None else resize(image, *self.size)

    def shape(self, number: int) -> Shape:
        """The shape `load` gives image `number`, without the memory it takes; DataError as there."""
        channels, *size = self._read(number).shape
        return (channels, *(self.size or size))

    def _read(self, number: int) -> npt.NDArray[np.uint8]:
        path = self.path(number)
        try:
            return read_image(path, color=self.color, place=self.images.place(number))
        except DataError as error:
            error.hint = error.hint or (None if is_there(str(path), Path()) else remedy(self.images.names[number]))
            raise


def _named(files: ImageFiles, numbers: list[int], number: int) -> str:
    return f"image {files.path(numbers[number])} ({files.images.place(numbers[number])})"


class ImageSource:
    """Fills batches with images, from record number `start` on. Tops: images, and labels (batch_size)."""

    def __init__(
        self, files: ImageFiles, order: Order, transformer: Transformer, batch_size: int, start: int, bad: BadRecords
    ) -> None:
        self._files = files
        self._order = order
        self._transformer = transformer
        self._batch_size = batch_size
        self._record = start
        self._bad = bad
        self._workers = ThreadPoolExecutor(threads.decoders(), "brew-decode")

    def fill(self, batch: Batch) -> None:
        numbers = self._order.numbers(self._record, self._batch_size)
        batch.passed = 0
        try:
            images = list(self._workers.map(self._files.load, numbers))
        except DataError:
            numbers, images, batch.passed = self._bad.read(
                self._order.onward(self._record), self._batch_size, self._files.load,
                key=lambda number: number, epoch=lambda: len(self._files.images.names),
            )  # fmt: skip
        try:
            shape = self._transformer.batch_shape(images, lambda i: f"image {self._files.path(numbers[i])}")
        except DataError as error:
            raise error.with_place(Place(str(self._files.images.file))) from None
        data, label = batch.take([(len(images), *shape), (len(images),)])
        self._transformer(images, self._record, data)
        label[...] = self._files.images.labels[numbers]
        self._record += len(images) + batch.passed
        batch.name = partial(_named, self._files, numbers)

    def close(self) -> None:
        self._workers.shutdown()
