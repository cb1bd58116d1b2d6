"""color_jitter_param: brightness, contrast, saturation and hue by factors about 1, in a random order; or no colour."""

from __future__ import annotations

import operator

import numpy as np

from brew.cpu.pixels.colours import Mixed, Scaled, Stage, Turned
from brew.proto.brew_pb2 import ColorJitterParameter

from .draws import Draw
from .view import Bytes

GREY = 0.114, 0.587, 0.299  # of blue, green and red


def drawn(param: ColorJitterParameter, draw: Draw, image: Bytes) -> list[Stage]:
    """The stages for a record with these pixels (3, rows, columns), of which contrast asks for the mean grey."""
    acts = draw.chance(param.prob)
    order = draw.order(4)
    factors = [draw.uniform(max(0.0, 1 - by), 1 + by) for by in (param.brightness, param.contrast, param.saturation)]
    hue = draw.uniform(-param.hue, param.hue)
    grey = draw.chance(param.gray_prob)
    stages: list[Stage] = []
    for number in order if acts else ():
        if number == 0 and param.brightness:
            stages.append(Scaled((factors[0],) * 3, (0.0,) * 3))
        elif number == 1 and param.contrast:
            stages.append(contrast(factors[1], image))
        elif number == 2 and param.saturation:
            stages.append(saturation(factors[2]))
        elif number == 3 and param.hue:
            stages.append(Turned(6 * hue % 6))
    return [*stages, saturation(0.0)] if grey else stages


def contrast(factor: float, image: Bytes) -> Scaled:
    """Away from or towards the mean grey of the image."""
    return Scaled((factor,) * 3, ((1 - factor) * mean_grey(image),) * 3)


def mean_grey(image: Bytes) -> float:
    """Of three channels their grey, of others the mean of all."""
    means = [int(plane.sum(dtype=np.int64)) / plane.size for plane in image]
    return sum(map(operator.mul, GREY, means), 0.0) if len(means) == 3 else sum(means) / len(means)


def saturation(factor: float) -> Mixed:
    """Away from or towards the grey of the pixel."""
    weights = [(1 - factor) * GREY[j] + factor * (i == j) for i in range(3) for j in range(3)]
    return Mixed(tuple(weights))
