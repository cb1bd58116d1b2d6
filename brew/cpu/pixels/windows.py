"""Windows of images of bytes, mirrored or not, as float32: (x - mean) * scale, rounded as NumPy rounds it.

In one pass, on the calling thread, outside the GIL. Channels may lie in planes or side by side (as decoders give them).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from brew.cpu.llvm.compiler import function, target, why_not
from brew.cpu.llvm.slots import Table
from brew.cpu.llvm.team import alone

from .windows_code import JOB, TABLE, How, write

Bytes: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Numbers: TypeAlias = npt.NDArray[np.int64]
Windows: TypeAlias = tuple[Numbers, Numbers, Numbers]
Images: TypeAlias = Bytes | Floats | Sequence[Bytes | Floats]

_SIDE_BY_SIDE = (3, 4)  # channels


def bring(
    images: Images, windows: Windows | None, mean: Floats | None, scale: float, out: npt.NDArray[np.generic]
) -> bool:
    """The window of each of `images` (channels, height, width) into `out` (images, channels, rows, columns).

    `windows` are the first row and the first column of each, and whether (1 or 0) it is mirrored; None: the images are
    taken whole. `mean` is (channels, height, width), of whole images of one size, or (channels or 1, 1, 1). False where
    nothing is done: no machine code here, another type or order of values, images of different strides, windows that
    are very narrow or not inside.
    """
    how = _how(images, mean, scale, out)
    if how is None or not _inside(images, windows, out):
        return False
    channels, rows, columns = out.shape[1:]
    channel, row, step = images[0].strides
    jobs = np.zeros((len(images), JOB), np.int64)
    if isinstance(images, np.ndarray):
        jobs[:, 0] = np.arange(len(images)) * images.strides[0] + _address(images)
    else:
        jobs[:, 0] = [_address(image) for image in images]
    if mean is not None and not how.pixel_mean:
        mean = np.ascontiguousarray(np.broadcast_to(mean.reshape(-1, 1, 1), (channels, 1, 1)))
    if mean is not None:
        jobs[:, 1] = _address(mean)
    mean_channel, mean_row, _ = (0, 0, 0) if mean is None else mean.strides
    if windows is not None:
        first_row, first_column, mirrored = windows
        jobs[:, 0] += first_row * row + first_column * step
        jobs[:, 1] += first_row * mean_row + first_column * 4 if how.pixel_mean else 0
        jobs[:, 2] = mirrored
    elif row == columns * step:
        rows, columns = 1, rows * columns  # one row behind the other; a mean of pixels has as many
    table = TABLE.table({
        "images": len(images), "jobs": _address(jobs), "channels": channels, "rows": rows, "columns": columns,
        "source_channel": channel, "source_row": row, "mean_channel": mean_channel, "mean_row": mean_row,
        "target": _address(out), "target_image": out.strides[0], "scale": int(np.float32(scale).view(np.uint32)),
    })  # fmt: skip
    _code(how)(table)
    return True


def _address(array: npt.NDArray[np.generic]) -> int:
    """Of its first element; quicker than by `ctypes`."""
    address: int = array.__array_interface__["data"][0]
    return address


def _inside(images: Images, windows: Windows | None, out: npt.NDArray[np.generic]) -> bool:
    """Whether every window lies in its image, which has as many channels as `out`."""
    shapes = [images.shape[1:]] if isinstance(images, np.ndarray) else [image.shape for image in images]
    if windows is None:
        return all(shape == out.shape[1:] for shape in shapes)
    sizes: Numbers = np.array(shapes, np.int64).T
    ends = windows[0] + out.shape[2], windows[1] + out.shape[3]
    return bool((sizes[0] == out.shape[1]).all() and (ends[0] <= sizes[1]).all() and (ends[1] <= sizes[2]).all())


def _how(images: Images, mean: Floats | None, scale: float, out: npt.NDArray[np.generic]) -> How | None:
    """The variant of the code; None where there is none."""
    if why_not() is not None or out.dtype != np.float32 or not out.flags.c_contiguous or out.shape[-1] < target().width:
        return None
    first = images[0]
    channel, _, step = first.strides
    if step > 1 and not (step in _SIDE_BY_SIDE and channel == 1 and len(first) == step):
        return None
    listed = images[:1] if isinstance(images, np.ndarray) else images
    if step < 1 or any(i.dtype != np.uint8 or i.strides != first.strides for i in listed):
        return None
    of_pixels = mean is not None and mean.shape[1:] != (1, 1)
    if of_pixels and not (mean is not None and mean.flags.c_contiguous):
        return None
    return How(step, of_pixels, mean is not None and not of_pixels, scale != 1)


@cache
def _code(how: How) -> Callable[[Table], None]:
    return alone(function(how.name, partial(write, how=how)))
