"""Images in memory resized and cropped as pycaffe does it, with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError

from . import interpolation

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float32]
Dims: TypeAlias = Sequence[int] | npt.NDArray[np.integer[Any]]  # (height, width)


class ArrayError(UsageError, ValueError):
    """An array, or a message of one, whose shape does not fit."""


def resize_image(im: Array, new_dims: Dims, interp_order: int = 1) -> Floats:
    """`im`, (rows, columns, channels), as (height, width, channels) of float32, where `new_dims` is (height, width).

    The numbers are those that nets were tested with: bilinear (`interp_order` 1), without antialiasing. Images of 1 and
    3 channels are resized as scikit-image does, edges aligned; where an image grows, its edge fades into the smallest
    value. Others are resized as scipy.ndimage.zoom does, centres of the corner pixels aligned, and whole numbers stay
    whole. ArrayError for other axes, empty images and orders over 5.
    """
    size = int(new_dims[0]), int(new_dims[1])
    if im.ndim != 3 or 0 in im.shape or min(size) < 1:
        raise ArrayError(f"an image is rows x columns x channels; shape {im.shape} cannot be resized to {size}")
    if interp_order not in range(6):
        raise ArrayError(f"interp_order is from 0 to 5, not {interp_order}")
    if im.shape[-1] not in (1, 3):
        made = interpolation.zoom(im, size, interp_order)
        return (made if im.dtype.kind == "f" else np.floor(made + 0.5)).astype(np.float32)
    values = im if im.dtype.kind == "f" else im.astype(np.float64)
    low, high = values.min(), values.max()
    if not high > low:
        return np.full((*size, im.shape[-1]), low, np.float32)
    reach = high - low
    resized = interpolation.resize((values - low) / reach, size, interp_order)
    return (resized * np.float64(reach) + np.float64(low)).astype(np.float32)


def resize(
    image: Array, output_shape: Dims, order: int = 1, mode: str = "constant", cval: float = 0
) -> npt.NDArray[np.float64]:
    """`image`, (rows, columns) or (rows, columns, channels), in `output_shape`, (height, width) with channels or not.

    It is scikit-image's function of pycaffe's days, which scripts call by way of caffe.io: without antialiasing, and
    whole numbers are brought into 0 to 1. `order` is 0 or 1 (bilinear). `mode` says what lies beyond the image:
    constant (`cval`), edge, symmetric, reflect or wrap. ArrayError where the number of channels would change.
    """
    shape = tuple(int(number) for number in output_shape)
    if image.ndim not in (2, 3) or len(shape) < 2 or (len(shape) == 3 and shape[2:] != image.shape[2:]):
        raise ArrayError(f"an image of shape {image.shape} cannot be resized to {shape}: rows and columns change alone")
    if order not in (0, 1) or mode not in ("constant", "edge", "symmetric", "reflect", "wrap"):
        raise ArrayError(f'resize knows order 0 and 1, and modes of numpy.pad, not order {order} and mode "{mode}"')
    whole = image.dtype.kind in "ui"
    values = (image / np.iinfo(image.dtype).max if whole else image.astype(np.float64)) - cval
    planes = values if image.ndim == 3 else values[:, :, None]
    made = interpolation.resize(planes, (shape[0], shape[1]), order, mode) + cval
    return made if image.ndim == 3 else made[:, :, 0]


def oversample(images: Sequence[Array] | Array, crop_dims: Dims) -> Floats:
    """Ten crops of `crop_dims` (height, width) of each image, (10 n, height, width, channels).

    In this order: upper left, upper right, lower left, lower right, centre, and the same five mirrored left to right.
    ArrayError where the images, (rows, columns, channels), are smaller than a crop or differ in shape.
    """
    (rows, columns, channels), (height, width) = images[0].shape, (int(crop_dims[0]), int(crop_dims[1]))
    if any(image.shape != images[0].shape for image in images):
        raise ArrayError(f"images of one shape are expected, not of {sorted({image.shape for image in images})}")
    if height > rows or width > columns:
        raise ArrayError(f"no crop of {height} x {width} fits into an image of {rows} x {columns}")
    below, beside = rows - height, columns - width
    corners = [(0, 0), (0, beside), (below, 0), (below, beside), (below // 2, beside // 2)]
    crops = np.empty((len(images), 10, height, width, channels), np.float32)
    for made, image in zip(crops, images, strict=True):
        for crop, (y, x) in zip(made, corners, strict=False):
            crop[:] = image[y : y + height, x : x + width]
        made[5:] = made[:5, :, ::-1]
    return crops.reshape(-1, height, width, channels)


def centre_crop(images: Array, crop_dims: Dims) -> Array:
    """The centre, (n, height, width, channels), of images of one shape, (n, rows, columns, channels); a view.

    ArrayError where they are smaller than `crop_dims` (height, width).
    """
    top, left = (_before(size, int(cut)) for size, cut in zip(images.shape[1:3], crop_dims, strict=True))
    return images[:, top : top + int(crop_dims[0]), left : left + int(crop_dims[1])]


def _before(size: int, cut: int) -> int:
    if cut > size:
        raise ArrayError(f"no crop of {cut} pixels fits into {size}")
    return (size - cut) // 2
