"""Windows of the images of a batch, held as the bytes they are: a quarter of the memory of float32, and of its traffic.

A thread that reads ahead cuts the windows out; the mean and the scale are applied on the way into the net.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.cpu.llvm.compiler import target, why_not

from .windows import Bytes, Jobs, Window, WindowCopy, Windows
from .windows_code import JOB

Shape: TypeAlias = tuple[int, ...]
Layout: TypeAlias = Literal["planes", "pixels"]  # a channel after the other, or a pixel after the other


class HeldWindows:
    """The windows of one batch; memory grows and never shrinks.

    shape  (images, channels, rows, columns) of the batch
    """

    def __init__(self, copy: WindowCopy) -> None:
        self._copy = copy
        self._storage = np.empty(0, np.uint8)
        self._images: Bytes = self._storage.reshape(0, 0, 0, 0)
        self._jobs: Jobs = np.empty((0, JOB), np.int64)
        self.shape: Shape = ()

    def take(self, shape: Shape, layout: Layout) -> None:
        """Have room for windows of a batch of this shape, which `put` writes."""
        images, channels, rows, columns = shape
        size = images * channels * rows * columns
        if self._storage.size < size:
            self._storage = np.empty(size, np.uint8)
        room = self._storage[:size]
        if layout == "planes":
            self._images = room.reshape(shape)
        else:
            self._images = room.reshape(images, rows, columns, channels).transpose(0, 3, 1, 2)
        self._jobs = self._copy.jobs(self._images, None)
        self.shape = shape

    def put(self, number: int, image: Bytes, window: Window) -> None:
        """Image `number` of the batch: a window of `image` (channels, height, width). Any thread may call it.

        ValueError where the window does not lie in the image, or the image has other channels.
        """
        (row, column, mirrored), (channels, rows, columns) = window, self.shape[1:]
        part = image[:, row : row + rows, column : column + columns]
        if part.shape != self.shape[1:] or row < 0 or column < 0:
            raise ValueError(f"no window of {self.shape[1:]} at {row}, {column} in {image.shape}")
        self._images[number] = part
        if self._copy.of_pixels:
            self._jobs[number, 1] = self._copy.mean_at(row, column, channels)
        self._jobs[number, 2] = mirrored

    def refer(self, images: Bytes, windows: Windows | None, size: tuple[int, int]) -> None:
        """The whole batch: windows of this size (rows, columns) of `images`, which are kept and must not change."""
        self._images, self._jobs = images, self._copy.jobs(images, windows)
        self.shape = (*images.shape[:2], *size)

    def write(self, out: npt.NDArray[Any]) -> None:
        """All windows, less the mean and times the scale, into `out` of the batch's shape."""
        if out.dtype == np.float32 and out.flags.c_contiguous:
            self._copy.write(self._jobs, self._images[0], out)
        else:
            out[...] = self.numbers()

    def numbers(self) -> npt.NDArray[np.float32]:
        """The same in an array of its own."""
        out = np.empty(self.shape, np.float32)
        self._copy.write(self._jobs, self._images[0], out)
        return out


def can_hold(dtype: npt.DTypeLike, columns: int) -> bool:
    """Whether windows of so many columns of such images are held: they are bytes, not narrow, and there is machine code
    that makes them numbers."""
    return dtype == np.uint8 and why_not() is None and columns >= target().width


def layout(image: npt.NDArray[Any]) -> Layout:
    """How windows of images like this one are held, so that they are cut out fast."""
    return "pixels" if image.strides[0] == 1 and image.strides[2] == len(image) in (3, 4) else "planes"
