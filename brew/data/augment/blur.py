"""Gaussian blurs."""

from __future__ import annotations

import math

import numpy as np

from brew.cpu.pixels.calls import scratch
from brew.cpu.pixels.resampling import SLACK, Across, Down, resampled
from brew.proto.brew_pb2 import BlurParameter

from .draws import Draw
from .view import Bytes


def drawn(param: BlurParameter, draw: Draw) -> float:
    """The sigma for a record, 0 where it is left alone."""
    acts, sigma = draw.chance(param.prob), draw.uniform(param.sigma_lower, param.sigma_upper)
    return sigma if acts else 0.0


def blurred(image: Bytes, sigma: float, reach: int | None = None) -> Bytes:
    """`image` (channels, rows, columns) by a Gaussian cut off `reach` pixels from its middle, three sigmas else.

    Beyond an edge the image is mirrored, without the edge itself.
    """
    reach = max(1, math.ceil(3 * sigma)) if reach is None else reach
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)[:, None]
    channels, rows, columns = image.shape
    pitch = columns + 2 * reach
    memory = scratch("blur", channels * rows * pitch + SLACK)
    place = memory[: channels * rows * pitch].reshape(channels, rows, pitch)
    place[:] = image[:, :, _mirrored(columns, reach)]
    offsets = np.arange(2 * reach + 1)[:, None] + np.arange(rows)
    across = Across(np.arange(columns, dtype=np.int32), np.repeat(weights, columns, 1))
    out = np.empty_like(image, order="C")
    resampled(place, across, Down(_mirrored(rows, reach)[offsets], np.repeat(weights, rows, 1)), out)
    return out


def _mirrored(size: int, reach: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The places of `size` pixels with `reach` more on either side."""
    period = max(2 * (size - 1), 1)
    place = np.abs(np.arange(-reach, size + reach)) % period
    return np.minimum(place, period - place) if size > 1 else np.zeros_like(place)
