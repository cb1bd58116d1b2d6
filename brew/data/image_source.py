"""Lists of image files with labels, and batches made of them: what ImageData reads."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from brew import regular_file, threads
from brew.errors import DataError, Place
from brew.layer import Shape

from .bad_records import BadRecords
from .image import read_image
from .order import Order
from .prefetch import Batch
from .resize import resize
from .transformer import Transformer

_NUMBER = re.compile(r"\s*([+-]?[0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class ImageList:
    """The lines of a source list: the name of each image, its label, and the line it stands in."""

    file: Path
    names: list[str]
    labels: npt.NDArray[np.int64]
    lines: list[int]

    @classmethod
    def read(cls, file: Path, *, what: str, place: Place | None = None) -> ImageList:
        """One image a line, its label behind the last space; blank lines are passed over.

        A label is read as C's atoi does: the digits it begins with, 0 where there are none. DataError for a file
        that is no text, names no image, or has a label beyond 32 bits.
        """
        try:
            # Names are what the system's files are called, in UTF-8 or not.
            text = regular_file.read_text(file, errors="surrogateescape")
        except OSError as error:
            raise DataError(f"{what}: {file} cannot be read: {error.strerror or error}", place=place) from None
        names, labels, lines = [], [], []
        for line, content in enumerate(text.split("\n"), 1):
            if not content.strip():
                continue
            name, _, written = content.rstrip("\r").rpartition(" ")
            label = atoi(written)
            if not -(1 << 31) <= label < 1 << 31:
                raise DataError(f"{what}: the label {label} does not fit into 32 bits", place=Place(str(file), line))
            names.append(name or written)
            labels.append(label)
            lines.append(line)
        if not names:
            raise DataError(f"{what}: {file} names no image", place=place)
        return cls(file, names, np.array(labels, np.int64), lines)

    def place(self, number: int) -> Place:
        """Where image `number` is named."""
        return Place(str(self.file), self.lines[number])


def atoi(text: str) -> int:
    """
    >>> [atoi(t) for t in ("7", " -3", "2.9", "cat", "")]
    [7, -3, 2, 0, 0]
    """
    match = _NUMBER.match(text)
    return int(match[1]) if match else 0


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """The files of a list and how they are read: `prefix` before each name, and what becomes of each image."""

    images: ImageList
    prefix: str
    color: bool = True
    size: tuple[int, int] | None = None  # height, width; None: as it is

    def path(self, number: int) -> Path:
        path = Path(self.prefix + self.images.names[number])
        with suppress(RuntimeError):  # a ~ that is nobody's home is a name like any other
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
        return read_image(self.path(number), color=self.color, place=self.images.place(number))


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

    def close(self) -> None:
        self._workers.shutdown()
