"""The images of a list, and batches that threads make of them, each image straight into its slot: for ImageData."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import BrewError, DataError, Place
from brew.files.paths import expanded, is_there
from brew.layer import Shape

from .bad_records import BadRecords
from .crew import Crew
from .image_list import ImageList, remedy
from .images.cache import ImageCache
from .images.decoding import IN_COLOR, ImageRule, read_image
from .images.masks import read_mask
from .images.resize import resize
from .order import Order
from .prefetch import Batch, Finish, Top
from .transformer import Form, Transformer

Tops: TypeAlias = tuple[Top, list[npt.NDArray[Any]]]  # images, and the others


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """The files of a list and how they are read: `prefix` before each name, how they are decoded, and their size.
    Of masks the pixels are labels, whatever the rule.

    What `load` made once is taken from the `cache`, where there is one.
    """

    images: ImageList
    prefix: str
    rule: ImageRule = IN_COLOR
    size: tuple[int, int] | None = None  # height, width; None: as it is
    cache: ImageCache | None = None
    masks: bool = False

    def path(self, number: int) -> Path:
        return expanded(self.prefix + self.images.names[number])

    def load(self, number: int) -> npt.NDArray[np.uint8]:
        """Image `number` (channels, height, width), BGR or gray; DataError, placed in the list."""
        if self.cache is None:
            return self._load(number)
        return self.cache.get(number, lambda: self._load(number), lambda image: image)

    def _load(self, number: int) -> npt.NDArray[np.uint8]:
        image = self._read(number)
        return image if self.size is None else resize(image, *self.size)

    def shape(self, number: int) -> Shape:
        """The shape `load` gives image `number`, without the memory it takes; DataError as there."""
        channels, *size = self._read(number).shape
        return (channels, *(self.size or size))

    def _read(self, number: int) -> npt.NDArray[np.uint8]:
        path = self.path(number)
        try:
            place = self.images.place(number)
            return read_mask(path, place=place) if self.masks else read_image(path, self.rule, place=place)
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
        self._crew = Crew()
        self._form: Form | None = None  # of the last batch

    def begin(self, batch: Batch) -> Finish:
        """Images are read at once, if the batch before has told their form."""
        numbers = self._order.numbers(self._record, self._batch_size)
        if self._form is None or len(numbers) == 1:
            return partial(self._end, numbers, batch, partial(self._fill_from_first, numbers, batch))
        return partial(self._end, numbers, batch, self._begin_all(numbers, batch))

    def _end(self, numbers: list[int], batch: Batch, finish: Callable[[], Tops]) -> None:
        places: Sequence[int] = range(self._batch_size)
        try:
            images, tops = finish()
        except BrewError:  # once more, one after the other: bad images are passed over in their order
            numbers, places, images, tops = self._fill_good(batch)
        batch.name = partial(_named, self._files, numbers)
        batch.passed = places[-1] + 1 - len(numbers)
        records = [self._record + place for place in places]
        self._transformer.finish(images, tops, self._files.images.labels[numbers], records, batch.name)
        self._record += len(numbers) + batch.passed

    def _begin_all(self, numbers: list[int], batch: Batch) -> Callable[[], Tops]:
        """All images into the batch, each by a thread; the last batch tells the shape. Errors for a first look."""
        assert self._form is not None
        images, tops = self._transformer.tops(batch, len(numbers), self._form)

        def put(number: int) -> None:
            self._transformer.place(self._files.load(numbers[number]), self._record + number, images, number)

        read = self._crew.start(put, len(numbers))

        def finish() -> Tops:
            read()
            return images, tops

        return finish

    def _fill_from_first(self, numbers: list[int], batch: Batch) -> Tops:
        """The same where nothing has told the shape but the first image."""
        image = self._files.load(numbers[0])
        self._form = self._transformer.form([image])
        if len(numbers) > 1:
            return self._begin_all(numbers, batch)()
        images, tops = self._transformer.tops(batch, 1, self._form)
        self._transformer.place(image, self._record, images, 0)
        return images, tops

    def _fill_good(self, batch: Batch) -> tuple[list[int], list[int], Top, list[npt.NDArray[Any]]]:
        """Fill the batch with the next images that can be read.

        The numbers of those it holds then, where they stand among all that were tried, and the tops.
        """
        numbers, loaded, places = self._bad.read(
            self._order.onward(self._record), self._batch_size, self._files.load,
            key=lambda number: number, epoch=lambda: len(self._files.images.names),
        )  # fmt: skip
        try:
            self._transformer.batch_shape(loaded, lambda i: f"image {self._files.path(numbers[i])}")
        except DataError as error:
            raise error.with_place(Place(str(self._files.images.file))) from None
        self._form = self._transformer.form(loaded)
        images, tops = self._transformer.tops(batch, len(numbers), self._form)
        for slot, (image, place) in enumerate(zip(loaded, places, strict=True)):
            name = partial(_named, self._files, numbers, slot)
            self._transformer.place(image, self._record + place, images, slot, name)
        return numbers, places, images, tops

    def close(self) -> None:
        self._crew.close()
