"""Windows cut out of images, with surroundings, and resized to one size, for the batches of WindowData."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.cpu import threads
from brew.errors import DataError, Place
from brew.files import regular
from brew.files.paths import expanded
from brew.layer.random import Stream

from .images.decoding import IN_COLOR, read_image
from .images.resize import resize
from .prefetch import Batch, Finish
from .window_list import WindowList, Windows

_WORDS = 4  # random words per record: window, mirror, two to spare
Real = np.float32 | np.float64


@dataclass(frozen=True, slots=True)
class Patch:
    """Pixels for a window: `rows` and `columns` of the image, resized to `height` x `width`, at `top`, `left`."""

    rows: slice
    columns: slice
    height: int
    width: int
    top: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Framing:
    """How a window fills a square of `crop` pixels.

    pad      so many pixels of surroundings on each side, measured in the square; they are 0 outside of the image
    square   the window is widened to a square first, so that it is not distorted
    """

    crop: int
    pad: int = 0
    square: bool = False
    real: type[Real] = np.float32  # the type of all arithmetic: the net's

    def patch(self, box: tuple[int, int, int, int], height: int, width: int, *, mirrored: bool) -> Patch:
        """The patch for `box` (x1, y1, x2, y2) of an image; ValueError where the box leaves nothing of it."""
        x1, y1, x2, y2 = box
        if not self.pad and not self.square:
            if not (0 <= x1 <= x2 < width and 0 <= y1 <= y2 < height):
                raise ValueError("the box lies outside of the image")
            return Patch(slice(y1, y2 + 1), slice(x1, x2 + 1), self.crop, self.crop)
        halves = [self.real((high - low + 1) / 2) for low, high in ((x1, x2), (y1, y2))]
        reach = [max(halves)] * 2 if self.square else halves
        columns, wide, before, after = self._along(self.real(x1) + halves[0], reach[0], width)
        rows, tall, above, _ = self._along(self.real(y1) + halves[1], reach[1], height)
        left = after if mirrored else before
        return Patch(rows, columns, min(tall, self.crop - above), min(wide, self.crop - left), above, left)

    def _along(self, centre: Real, reach: Real, size: int) -> tuple[slice, int, int, int]:
        """Along one axis: the pixels inside of the image, their resized number, and the padding before and after."""
        reach = reach * (self.real(self.crop) / self.real(self.crop - 2 * self.pad))
        low, high = rounded(centre - reach), rounded(centre + reach)
        before, after = max(0, -low), max(0, high - size + 1)
        first, last = low + before, high - after
        if first > last:
            raise ValueError("the box lies outside of the image")
        zoom = self.real(self.crop) / self.real(high - low + 1)
        inside, before, after = (rounded(self.real(n) * zoom) for n in (last - first + 1, before, after))
        return slice(first, last + 1), inside, before, after


def rounded(value: Real) -> int:
    """To the nearest whole number, halves away from zero, as C rounds."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), value))


@dataclass(frozen=True, slots=True)
class WindowImages:
    """How the windows of a list are read: files under `prefix`, `mean` (broadcasts to a crop) and `scale`."""

    windows: WindowList
    prefix: str
    framing: Framing
    mean: npt.NDArray[np.float32] | None
    scale: float
    contents: dict[int, bytes] | None = None  # files that were read, where they are kept
    what: str = field(default="", kw_only=True)

    def cut(self, kind: Windows, number: int, mirrored: bool, y: npt.NDArray[Any]) -> None:
        """Window `number` of `kind` into `y` (3, crop, crop), zero where the image has nothing."""
        pixels = self._image(int(kind.image[number]))
        x1, y1, x2, y2 = kind.box[number].tolist()
        try:
            patch = self.framing.patch((x1, y1, x2, y2), *pixels.shape[1:], mirrored=mirrored)
        except ValueError:
            size = "{} x {}".format(*pixels.shape[:0:-1])
            raise DataError(
                f"{self.what}: the window {x1} {y1} {x2} {y2} does not lie in its image of {size} (width x height)",
                place=self.windows.place(int(kind.line[number])),
            ) from None
        y[...] = 0
        if patch.height <= 0 or patch.width <= 0:
            return
        part = resize(pixels[:, patch.rows, patch.columns], patch.height, patch.width)
        window = (..., slice(patch.top, patch.top + patch.height), slice(patch.left, patch.left + patch.width))
        y[window] = part[..., ::-1] if mirrored else part
        if self.mean is not None:
            y[window] -= np.broadcast_to(self.mean, y.shape)[window]
        with np.errstate(over="ignore"):  # infinity, as in Caffe; the loss shows it
            y[window] *= y.dtype.type(self.scale)

    def _image(self, number: int) -> npt.NDArray[np.uint8]:
        path = expanded(self.prefix + self.windows.names[number])
        place = self.windows.place(self.windows.lines[number])
        known = None if self.contents is None else self.contents.get(number)
        if known is None and self.contents is not None:
            known = self.contents[number] = _content(path, place)
        return read_image(path, IN_COLOR, place=place, data=known)


def _content(path: Path, place: Place) -> bytes:
    try:
        return regular.read_bytes(path)
    except OSError as error:
        raise DataError(f"image {path} cannot be read: {error.strerror or error}", place=place) from None


def _named(windows: WindowList, lines: list[int], number: int) -> str:
    return f"the window at {windows.place(lines[number])}"


class WindowSource:
    """Fills batches with windows drawn at random: background first, then `objects` foreground ones.

    Which window a record is, and whether it is mirrored, is a function of the seed and the record's number. Tops:
    windows (batch_size, 3, crop, crop) and classes (batch_size).
    """

    def __init__(
        self,
        images: WindowImages,
        batch_size: int,
        start: int,
        *,
        objects: int,
        mirror: bool,
        seed: int,
        name: str,
    ) -> None:
        self._images = images
        self._kinds = [images.windows.background] * (batch_size - objects) + [images.windows.foreground] * objects
        self._record = start
        self._mirror = mirror
        self._stream = Stream(seed, f"{name}/windows")
        self._workers = ThreadPoolExecutor(threads.decoders(), "brew-decode")

    def begin(self, batch: Batch) -> Finish:
        return partial(self._fill, batch)

    def _fill(self, batch: Batch) -> None:
        count, crop = len(self._kinds), self._images.framing.crop
        data, label = batch.take([(count, 3, crop, crop), (count,)])
        words = self._stream.words(count * _WORDS, block=self._record).reshape(count, _WORDS)
        numbers = [int(word) % len(kind) for word, kind in zip(words[:, 0], self._kinds, strict=True)]
        mirrored = (words[:, 1] & np.uint64(self._mirror)).astype(bool).tolist()
        for _ in self._workers.map(self._images.cut, self._kinds, numbers, mirrored, data):
            pass
        label[...] = [kind.label[number] for kind, number in zip(self._kinds, numbers, strict=True)]
        self._record += count
        lines = [int(kind.line[number]) for kind, number in zip(self._kinds, numbers, strict=True)]
        batch.name = partial(_named, self._images.windows, lines)

    def close(self) -> None:
        self._workers.shutdown()
