"""Transformer: images as they are read become what a net's input takes, and back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import UsageError

from .resizing import resize_image

log = logging.getLogger("brew")

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float32]


class MeanError(UsageError, ValueError):
    """A mean that does not fit the net's input."""


class Transformer:
    """Prepares images for the inputs of a net: `preprocess` in this order, `deprocess` back.

    resize to the input's height and width, transpose, swap channels, x raw_scale, - mean, x input_scale

    `inputs` are the shapes of the inputs by name, as in {"data": net.blobs["data"].data.shape}: (n, channels, height,
    width). What is set stands in the dictionaries transpose, channel_swap, raw_scale, mean and input_scale, by input.
    Every method raises UsageError for a name that is not in `inputs`.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, Array] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: Array) -> Floats:
        """`data`, (rows, columns, channels), as the input `in_` takes it: float32 (channels, height, width); a copy."""
        size = self._shape(in_)[2:]
        made = np.array(data, np.float32)
        if size and made.shape[:2] != size:
            made = resize_image(made, size)
        if (order := self.transpose.get(in_)) is not None:
            made = made.transpose(order)
        if (swap := self.channel_swap.get(in_)) is not None:
            made = made[list(swap)]
        if (scale := self.raw_scale.get(in_)) is not None:
            made *= scale
        if (mean := self.mean.get(in_)) is not None:
            made -= mean
        if (scale := self.input_scale.get(in_)) is not None:
            made *= scale
        return made

    def deprocess(self, in_: str, data: Array) -> Array:
        """What `preprocess` made, one item of the blob `in_`, as an image again, but for its size; a copy."""
        shape = self._shape(in_)
        made = np.array(data, None if data.dtype.kind == "f" else np.float32)
        while made.ndim >= len(shape) and made.shape[0] == 1:
            made = made[0]
        if (scale := self.input_scale.get(in_)) is not None:
            made /= scale
        if (mean := self.mean.get(in_)) is not None:
            made += mean
        if (scale := self.raw_scale.get(in_)) is not None:
            made /= scale
        if (swap := self.channel_swap.get(in_)) is not None:
            made = made[np.argsort(swap)]
        order = self.transpose.get(in_)
        return made.squeeze() if order is None else made.transpose(np.argsort(order))

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Order the axes so: (2, 0, 1) makes channels x rows x columns of rows x columns x channels."""
        shape = self._shape(in_)
        if len(order) != len(shape) - 1:
            raise UsageError(
                f'the transpose order {tuple(order)} has {len(order)} axes; input "{in_}", {_text(shape)}, '
                f"has {len(shape) - 1} and the batch's"
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Take the channels, the first axis after the transpose, in this order: (2, 1, 0) makes BGR of RGB."""
        channels = self._shape(in_)[1]
        if len(order) != channels:
            raise UsageError(f'channel_swap {tuple(order)} has {len(order)} channels; input "{in_}" has {channels}')
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Multiply by `scale` before the mean is subtracted: 255 for nets trained on bytes, since images are 0 to 1."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Multiply by `scale` after the mean is subtracted: the `scale` of a data layer's transform_param."""
        self._shape(in_)
        self.input_scale[in_] = scale

    def set_mean(self, in_: str, mean: npt.ArrayLike, *, fit: Literal["resize", "crop"] = "resize") -> None:
        """Subtract `mean`, in the input's channel order and in the scale after raw_scale.

        (channels,)                  one value a channel, also as (channels, 1, 1)
        (channels, height, width)    the input's own size; (height, width) for one channel; a leading axis of 1, as a
                                     .binaryproto gives it, is left out
        the same of another size     resized to the input, as pycaffe does it, or its centre with `fit="crop"`, as data
                                     layers do it; a log line says so once

        MeanError, a ValueError, with both shapes for anything else.
        """
        channels, *size = self._shape(in_)[1:]
        given = np.asarray(mean)
        values = given[0] if given.ndim == 4 and given.shape[0] == 1 else given
        if values.ndim == 1:
            values = values[:, None, None]
        elif values.ndim == 2:
            values = values[None]
        if values.ndim != 3 or values.shape[0] != channels:
            raise self._no_mean(in_, given)
        if values.shape[1:] not in (tuple(size), (1, 1)):
            values = self._fitted(in_, values, fit)
        self.mean[in_] = values

    def _shape(self, in_: str) -> tuple[int, ...]:
        if in_ not in self.inputs:
            raise UsageError(f'"{in_}" is not one of the inputs: {", ".join(self.inputs)}')
        return tuple(int(size) for size in self.inputs[in_])

    def _fitted(self, in_: str, mean: Array, fit: str) -> Array:
        (rows, columns), (height, width) = mean.shape[1:], self._shape(in_)[2:]
        if fit == "crop":
            if rows < height or columns < width:
                raise self._no_mean(in_, mean)
            top, left = (rows - height) // 2, (columns - width) // 2
            return mean[:, top : top + height, left : left + width]
        _say(
            f'the mean, {_text(mean.shape)}, is resized to input "{in_}", {_text((len(mean), height, width))}; '
            'set_mean(..., fit="crop") takes its centre instead, as data layers do'
        )
        return _resized(mean, (height, width))

    def _no_mean(self, in_: str, mean: Array) -> MeanError:
        shape = self._shape(in_)
        last = mean.ndim == 3 and mean.shape[-1] == shape[1]
        hint = "its channels are last: mean.transpose(2, 0, 1) puts them first" if last else None
        wanted = f"({shape[1]},) or {_text(shape[1:])}"
        return MeanError(
            f'the mean has shape {_text(mean.shape)}, input "{in_}" {_text(shape)}: {wanted} is expected', hint=hint
        )


def transformer_for(
    name: str,
    shape: Sequence[int],
    mean: npt.ArrayLike | None,
    input_scale: float | None,
    raw_scale: float | None,
    channel_swap: Sequence[int] | None,
) -> Transformer:
    """The Transformer of one input for images of rows x columns x channels, with what is given."""
    made = Transformer({name: tuple(shape)})
    made.set_transpose(name, (2, 0, 1))
    if mean is not None:
        made.set_mean(name, mean)
    if input_scale is not None:
        made.set_input_scale(name, input_scale)
    if raw_scale is not None:
        made.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        made.set_channel_swap(name, channel_swap)
    return made


def _resized(mean: Array, size: tuple[int, int]) -> Array:
    """By way of values from 0 to 1, as pycaffe does it."""
    low, high = mean.min(), mean.max()
    if not high > low:
        return np.full((len(mean), *size), low, mean.dtype)
    shares = (mean - low) / (high - low)
    resized: Array = resize_image(shares.transpose(1, 2, 0), size).transpose(2, 0, 1) * (high - low) + low
    return resized


@cache
def _say(message: str) -> None:
    """Warn, but once for each message in this process."""
    log.warning("%s", message)


def _text(shape: Sequence[int]) -> str:
    return "(" + " x ".join(map(str, shape)) + ")"
