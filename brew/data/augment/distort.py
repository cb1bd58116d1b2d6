"""distort_param, SSD's colours: brightness, contrast, saturation, hue, and the order of the channels."""

from __future__ import annotations

from brew.cpu.pixels.colours import Scaled, Stage, Turned
from brew.proto.brew_pb2 import DistortionParameter

from .draws import Draw

_SIXTH = 30.0  # of the circle, in half degrees: OpenCV's hue of bytes has 180 of them


def drawn(param: DistortionParameter, draw: Draw) -> tuple[list[Stage], list[int]]:
    """The stages of a record, and the order of its channels.

    Brightness first; then contrast, saturation and hue, or, in half of the cases, saturation, hue and contrast. Each
    acts by its own probability.
    """
    contrast_last = not draw.uniform() > 0.5
    brightness = _one(draw, param.brightness_prob, -param.brightness_delta, param.brightness_delta)
    contrast = _one(draw, param.contrast_prob, param.contrast_lower, param.contrast_upper)
    saturation = _one(draw, param.saturation_prob, param.saturation_lower, param.saturation_upper)
    hue = _one(draw, param.hue_prob, -param.hue_delta, param.hue_delta)
    shuffled = draw.chance(param.random_order_prob)
    order = draw.order(3) if shuffled else [0, 1, 2]
    stages: list[Stage] = []
    if brightness is not None:
        stages.append(Scaled((1.0,) * 3, (brightness,) * 3))
    contrasts = [] if contrast is None else [Scaled((contrast,) * 3, (0.0,) * 3)]
    turns = [Turned((hue or 0.0) / _SIXTH % 6, 1.0 if saturation is None else saturation)]
    if saturation is None and hue is None:
        turns = []
    stages += [*turns, *contrasts] if contrast_last else [*contrasts, *turns]
    return stages, order


def _one(draw: Draw, probability: float, low: float, high: float) -> float | None:
    """The number of one change, None where it does not act; both are drawn in any case."""
    acts, value = draw.chance(probability), draw.uniform(low, high)
    return value if acts else None
