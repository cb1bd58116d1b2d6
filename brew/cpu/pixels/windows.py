"""Windows of images of bytes, mirrored or not, as float32: (x - mean) * scale, rounded as NumPy rounds it.

In one pass, on the calling thread, outside the GIL. Channels may lie in planes or side by side (as decoders give them).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from brew.cpu.llvm.compiler import function, target, why_not
from brew.cpu.llvm.slots import Table, address
from brew.cpu.llvm.team import alone

from .windows_code import JOB, TABLE, How, write

Bytes: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Numbers: TypeAlias = npt.NDArray[np.int64]
Window: TypeAlias = tuple[int, int, bool]  # first row, first column, mirrored
Windows: TypeAlias = tuple[Numbers, Numbers, Numbers]
Jobs: TypeAlias = Numbers  # (images, JOB)
Images: TypeAlias = Bytes | Floats | Sequence[Bytes | Floats]
Array: TypeAlias = npt.NDArray[Any]
Code: TypeAlias = Callable[[Table], None]

_SIDE_BY_SIDE = (3, 4)  # channels


class WindowCopy:
    """Copies windows of images into a batch, less `mean` and times `scale`.

    `mean` is (channels, height, width), of whole images of one size, or (channels or 1, 1, 1), or None. NumPy computes
    the same where there is no machine code: for values of other types or in another order, and for very narrow windows.
    ValueError for a window that does not lie in its image, or has other channels.

    of_pixels  the mean has a value for each pixel
    """

    def __init__(self, mean: Floats | None, scale: float) -> None:
        self._mean = mean if mean is None else np.ascontiguousarray(mean)
        self.of_pixels = mean is not None and mean.shape[1:] != (1, 1)
        self._scale, self._bits = scale, int(np.float32(scale).view(np.uint32))
        self._means: dict[int, Floats] = {}  # by the number of channels
        self._codes: dict[int, Code] = {}  # by the bytes from a pixel to its neighbour

    def one(self, image: Bytes | Floats, window: Window, out: Array) -> None:
        """The window of `image` (channels, height, width) into `out` (channels, rows, columns).

        A batch of one, without arrays of numbers: decoding threads call it for every image.
        """
        row, column, mirrored = window
        (channels, rows, columns), (channel, line, step) = out.shape, image.strides
        if not (
            0 <= row <= image.shape[1] - rows and 0 <= column <= image.shape[2] - columns and len(image) == channels
        ):
            raise ValueError(f"no window of {out.shape} at {row}, {column} in {image.shape}")
        code = self.code(image, out)
        if code is None:
            self._by_numpy(image, window, out)
            return
        mean, mean_channel, mean_row = self._mean_of(channels)
        at = address(image) + row * line + column * step
        if self.of_pixels:
            mean += row * mean_row + column * 4
        numbers = [1, 0, channels, rows, columns, channel, line, mean_channel, mean_row, address(out), 0, self._bits]
        table = np.array([*numbers, at, mean, mirrored], np.int64)  # the job lies behind the table
        table[1] = address(table) + 8 * len(numbers)
        code(table)

    def __call__(self, images: Images, windows: Windows | None, out: Array) -> None:
        """The window of each of `images` (channels, height, width) into `out` (images, channels, rows, columns).

        `windows` are the first row and the first column of each, and whether (1 or 0) it is mirrored; None: the images
        are taken whole.
        """
        _check(images, windows, out)
        if not _alike(images) or self.code(images[0], out[0]) is None:
            self._all_by_numpy(images, windows, out)
            return
        self.write(self.jobs(images, windows), images[0], out)

    def jobs(self, images: Images, windows: Windows | None) -> Jobs:
        """What `write` is to do for the windows of `images`, a row of numbers for each."""
        channels = len(images[0])
        jobs = np.empty((len(images), JOB), np.int64)
        if isinstance(images, np.ndarray):
            jobs[:, 0] = np.arange(len(images)) * images.strides[0] + address(images)
        else:
            jobs[:, 0] = [address(image) for image in images]
        if windows is None:
            jobs[:, 1:] = self.mean_at(0, 0, channels), 0
            return jobs
        rows, columns, mirrored = windows
        _, line, step = images[0].strides
        jobs[:, 0] += rows * line + columns * step
        jobs[:, 1] = self.mean_at(rows, columns, channels)
        jobs[:, 2] = mirrored
        return jobs

    @overload
    def mean_at(self, row: int, column: int, channels: int) -> int: ...
    @overload
    def mean_at(self, row: Numbers, column: Numbers, channels: int) -> int | Numbers: ...
    def mean_at(self, row: int | Numbers, column: int | Numbers, channels: int) -> int | Numbers:
        """Where the mean of a window lies that begins there, or of many windows."""
        mean, _, line = self._mean_of(channels)
        return mean + row * line + column * 4 if self.of_pixels else mean

    def write(self, jobs: Jobs, like: Bytes | Floats, out: Array) -> None:
        """Do `jobs`, on images that lie in memory as `like` does, into `out`; there must be `code` for both."""
        code = self.code(like, out[0])
        assert code is not None
        (channels, rows, columns), (channel, line, step) = out.shape[1:], like.strides
        _, mean_channel, mean_row = self._mean_of(channels)
        if line == columns * step and mean_row in (0, 4 * columns) and not jobs[:, 2].any():
            rows, columns = 1, rows * columns  # one row behind the other; a mean of pixels has as many
        code(TABLE.table({
            "images": len(jobs), "jobs": address(jobs), "channels": channels, "rows": rows, "columns": columns,
            "source_channel": channel, "source_row": line, "mean_channel": mean_channel, "mean_row": mean_row,
            "target": address(out), "target_image": out.strides[0], "scale": self._bits,
        }))  # fmt: skip

    def code(self, image: Bytes | Floats, out: Array) -> Code | None:
        """The machine code for images like this one; None where there is none."""
        if why_not() is not None or image.dtype != np.uint8 or out.dtype != np.float32 or not out.flags.c_contiguous:
            return None
        channel, _, step = image.strides
        beside = step in _SIDE_BY_SIDE and channel == 1 and len(image) == step
        if out.shape[-1] < target().width or step < 1 or (step > 1 and not beside):
            return None
        if step not in self._codes:
            of_channels = self._mean is not None and not self.of_pixels
            self._codes[step] = _code(How(step, self.of_pixels, of_channels, self._scale != 1))
        return self._codes[step]

    def _mean_of(self, channels: int) -> tuple[int, int, int]:
        """Where the mean's numbers lie for images of so many channels, and its strides."""
        if self._mean is None:
            return 0, 0, 0
        if self.of_pixels:
            return address(self._mean), self._mean.strides[0], self._mean.strides[1]
        mean = self._means.get(channels)
        if mean is None:
            mean = np.ascontiguousarray(np.broadcast_to(self._mean, (channels, 1, 1)))
            mean = self._means.setdefault(channels, mean)  # another thread may have been faster: its array stays
        return address(mean), 0, 0

    def _all_by_numpy(self, images: Images, windows: Windows | None, out: Array) -> None:
        rows, columns, mirrors = np.zeros((3, len(images)), np.int64) if windows is None else windows
        same = all((numbers == numbers[0]).all() for numbers in (rows, columns, mirrors))
        if isinstance(images, np.ndarray) and same:
            self._by_numpy(images, (int(rows[0]), int(columns[0]), bool(mirrors[0])), out)
            return
        for image, row, column, mirrored, y in zip(images, rows, columns, mirrors, out, strict=True):
            self._by_numpy(image, (int(row), int(column), bool(mirrored)), y)

    def _by_numpy(self, x: Bytes | Floats, window: Window, y: Array) -> None:
        """One image, or many that are treated alike."""
        row, column, mirrored = window
        height, width = y.shape[-2:]
        inside = (..., slice(row, row + height), slice(column, column + width))
        x, mean = x[inside], self._mean[inside] if self._mean is not None and self.of_pixels else self._mean
        if mirrored:
            x, mean = x[..., ::-1], mean if mean is None else mean[..., ::-1]
        if mean is None:
            y[...] = x
        else:
            np.subtract(x, mean, out=y, casting="same_kind")
        if self._scale != 1:
            with np.errstate(over="ignore"):  # infinity, as in Caffe; the loss shows it
                np.multiply(y, y.dtype.type(self._scale), out=y)


def _check(images: Images, windows: Windows | None, out: Array) -> None:
    """ValueError unless every window lies in its image, which has as many channels as `out`."""
    shapes = [images.shape[1:]] if isinstance(images, np.ndarray) else [image.shape for image in images]
    rows, columns = (0, 0) if windows is None else windows[:2]
    sizes: Numbers = np.array(shapes, np.int64).T
    rooms = sizes[1] - rows - out.shape[2], sizes[2] - columns - out.shape[3], rows, columns
    if (sizes[0] != out.shape[1]).any() or any(np.less(room, 0).any() for room in rooms) or len(images) != len(out):
        raise ValueError(f"a window of {out.shape[1:]} does not lie in its image, one of {set(shapes)}")


def _alike(images: Images) -> bool:
    """Whether all are bytes with the strides of the first one."""
    return isinstance(images, np.ndarray) or all(i.dtype == np.uint8 and i.strides == images[0].strides for i in images)


@cache
def _code(how: How) -> Code:
    return alone(function(how.name, partial(write, how=how)))
