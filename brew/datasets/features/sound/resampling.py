"""Another number of samples a second: interpolation by sinc functions under a Hann window, cut at the lower band."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd

import numpy as np
import numpy.typing as npt

from .wav import Samples

_ZEROS = 32  # of the sinc function on each side
_EDGE = 0.95  # of the lower of both bands is kept: what lies between the edge and the band's end fades out
_AT_ONCE = 1 << 20  # values of windows that are in memory together
_CACHED = 2048  # phases of which the filters are kept
Weights = npt.NDArray[np.float32]


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """`samples` (n,), `rate` a second, as they were taken `wanted` times a second: ceil(n * wanted / rate) of them.

    Sample m stands at the time m / wanted. Beyond both ends is silence.
    """
    if rate == wanted or not samples.size:
        return samples
    common = gcd(rate, wanted)
    up, down = wanted // common, rate // common
    half = ceil(_ZEROS * max(1.0, down / up) / _EDGE)
    padded = np.concatenate([np.zeros(half, np.float32), samples, np.zeros(half + 1, np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)
    count = -(-len(samples) * up // down)
    result = np.empty(count, np.float32)
    step = max(1, _AT_ONCE // (2 * half))
    for start in range(0, count, step):
        place = np.arange(start, min(start + step, count), dtype=np.int64) * down
        before, phase = place // up, place % up
        result[start : start + step] = np.einsum("mk,mk->m", windows[before + 1], _weights(phase, up, down, half))
    return result


def _weights(phase: npt.NDArray[np.int64], up: int, down: int, half: int) -> Weights:
    """For each phase the weights of the 2 * half samples around it."""
    if up <= _CACHED:
        filters: Weights = _filters(up, down, half)[phase]
        return filters
    different, which = np.unique(phase, return_inverse=True)
    return _kernel(different / up, up, down, half)[which]


@lru_cache(16)
def _filters(up: int, down: int, half: int) -> Weights:
    return _kernel(np.arange(up) / up, up, down, half)


def _kernel(offset: npt.NDArray[np.float64], up: int, down: int, half: int) -> Weights:
    """The weights of samples `half` - 1 before to `half` behind a place, `offset` of a sample beyond one of them."""
    band = _EDGE * min(1.0, up / down)
    distance = offset[:, None] - np.arange(1 - half, half + 1)
    window = 0.5 + 0.5 * np.cos(np.pi * np.clip(distance / half, -1, 1))
    values = band * np.sinc(band * distance) * window
    return np.asarray(values / values.sum(axis=1, keepdims=True), np.float32)
