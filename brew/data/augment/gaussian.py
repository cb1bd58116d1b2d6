"""gaussian_noise_param: noise, another one in every pixel and channel."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from brew.proto.brew_pb2 import GaussianNoiseParameter

from .draws import Draws
from .view import Bytes, as_bytes

_LEVELS = 1 << 16


@cache
def normals() -> npt.NDArray[np.float32]:
    """A number of the normal distribution for each of 65,536 equally likely ones; up to 4.3 either way."""
    normal = NormalDist()
    upper = np.array([normal.inv_cdf((i + 0.5) / _LEVELS) for i in range(_LEVELS // 2, _LEVELS)], np.float32)
    return np.concatenate([-upper[::-1], upper])


def applied(param: GaussianNoiseParameter, draws: Draws, image: Bytes) -> Bytes:
    """The image with noise, where chance wills it; the standard deviation is one for the whole record."""
    draw = draws.of("gaussian")
    acts, deviation = draw.chance(param.prob), draw.uniform(param.std_lower, param.std_upper)
    if not acts or not deviation:
        return image
    words = draws.many("gaussian", -(-image.size // 4)).view("<u2")[: image.size]
    noisy = normals()[words].reshape(image.shape)
    noisy *= np.float32(deviation)
    noisy += image
    return as_bytes(noisy)
