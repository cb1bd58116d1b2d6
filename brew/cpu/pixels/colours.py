"""Colours of images of bytes, changed in stages: all arithmetic is float32, and the end alone is rounded.

A stage works on blue, green and red from 0 to 255, and clips to that range what it gives:

Scaled   x * factor + summand, for each channel its own
Mixed    each channel a sum of all three, with weights, and a summand
Turned   the hue, by sixths of the circle, and the saturation, by a factor (HSV: value stays)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from brew.cpu.llvm.slots import address

from .calls import WIDEST, Bytes, call, native, scratch
from .colours_code import COLOURS, MIXED, NUMBERS, SCALED, TURNED, write_colours

Planes: TypeAlias = npt.NDArray[np.float32]
_Numbers: TypeAlias = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Scaled:
    """x * factor + summand, by channel."""

    factors: _Numbers
    summands: _Numbers

    @property
    def numbers(self) -> _Numbers:
        return (*self.factors, *self.summands)


@dataclass(frozen=True, slots=True)
class Mixed:
    """`weights` of blue, green and red for each of blue, green and red, 9 of them, and a summand for each."""

    weights: _Numbers
    summands: _Numbers = (0.0, 0.0, 0.0)

    @property
    def numbers(self) -> _Numbers:
        return (*self.weights, *self.summands)


@dataclass(frozen=True, slots=True)
class Turned:
    """The hue goes on by `sixths` (from 0, below 6) of the circle, the saturation is times `saturation`."""

    sixths: float
    saturation: float = 1.0

    @property
    def numbers(self) -> _Numbers:
        return self.sixths, self.saturation


Stage: TypeAlias = Scaled | Mixed | Turned
_CODE = {step: partial(write_colours, step=step) for step in (1, 3, 4)}
_KINDS: dict[type[Stage], int] = {Scaled: SCALED, Mixed: MIXED, Turned: TURNED}


def coloured(image: Bytes, stages: Sequence[Stage], out: Bytes, order: Sequence[int] = (0, 1, 2)) -> None:
    """`image` (3, rows, columns) after all stages into `out`; channel number `i` comes from `order[i]` of the result.

    Both may be windows of larger arrays; channels lie in planes or, of `image`, side by side. `out` is none of `image`.
    """
    step = image.strides[2]
    side_by_side = step in _CODE and image.strides[0] == 1 and image.shape[2] >= WIDEST
    if native() and out.strides[2] == 1 and (step == 1 or side_by_side):
        _by_machine(image, stages, out, order)
    else:
        _by_numpy(image, stages, out, order)


def _by_machine(image: Bytes, stages: Sequence[Stage], out: Bytes, order: Sequence[int]) -> None:
    _, rows, columns = image.shape
    numbers = np.zeros((max(len(stages), 1), NUMBERS), np.float32)
    kinds = np.array([_KINDS[type(stage)] for stage in stages] or [0], np.int64)
    for row, stage in zip(numbers, stages, strict=False):
        row[: len(stage.numbers)] = stage.numbers
    wide = -(-columns // WIDEST) * WIDEST
    floats = scratch("colours", 3 * 4 * wide)
    where = address(out)
    step = image.strides[2]
    call(f"colours {step}", _CODE[step], COLOURS, {
        "source": address(image), "source_plane": image.strides[0], "source_row": image.strides[1],
        **{f"target{channel}": where + place * out.strides[0] for place, channel in enumerate(order)},
        "target_row": out.strides[1], "rows": rows, "columns": columns, "floats": address(floats), "wide": wide,
        "stages": len(stages), "kinds": address(kinds), "numbers": address(numbers),
    })  # fmt: skip


# --- the same in NumPy ------------------------------------------------------------------------------------------------


def _by_numpy(image: Bytes, stages: Sequence[Stage], out: Bytes, order: Sequence[int]) -> None:
    planes = image.astype(np.float32)
    for stage in stages:
        planes = _staged(planes, stage)
    np.rint(planes, out=planes)
    out[...] = planes[list(order)]


def _staged(planes: Planes, stage: Stage) -> Planes:
    if isinstance(stage, Turned):
        return _turned(planes, np.float32(stage.sixths), np.float32(stage.saturation))
    summands = np.array(stage.summands, np.float32)
    if isinstance(stage, Scaled):
        factors = np.array(stage.factors, np.float32)
        return _clipped(planes * factors[:, None, None] + summands[:, None, None])
    w = np.array(stage.weights, np.float32).reshape(3, 3)
    rows = [planes[0] * w[i, 0] + planes[1] * w[i, 1] + planes[2] * w[i, 2] + summands[i] for i in range(3)]
    return _clipped(np.stack(rows))


def _clipped(planes: Planes) -> Planes:
    limited: Planes = np.clip(planes, np.float32(0), np.float32(255))
    return limited


def _turned(planes: Planes, sixths: np.float32, saturation: np.float32) -> Planes:
    blue, green, red = planes
    one, two, four, six = (np.float32(n) for n in (1, 2, 4, 6))
    value = np.maximum(np.maximum(blue, green), red)
    chroma = value - np.minimum(np.minimum(blue, green), red)
    share = one / np.where(chroma > 0, chroma, one)
    by_blue = (red - green) * share + four
    hue = np.where(value == green, (blue - red) * share + two, by_blue)
    hue = np.where(value == red, (green - blue) * share, hue) + sixths
    hue = np.where(hue < 0, hue + six, hue)
    hue = np.where(hue >= six, hue - six, hue)
    chroma = np.minimum(chroma * saturation, value)
    result = np.empty_like(planes)
    for channel, turn in enumerate((1, 3, 5)):
        at = hue + np.float32(turn)
        at = np.where(at >= six, at - six, at)
        at = np.minimum(np.minimum(at, four - at), one)
        result[channel] = value - chroma * np.maximum(at, np.float32(0))
    return result
