"""Images of bytes seen through separable weights: each row of the source along its columns, then the columns.

Weights are whole numbers (fixed-point, as OpenCV has them for most of its interpolations) or float32 (averages over
areas, blurs). What the numbers are is the business of the caller: `Weights` say it for one axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.cpu.llvm.slots import address

from .calls import WIDEST, Bytes, call, native, scratch
from .resampling_code import ACROSS, DOWN, FOUR, write_across, write_down

SLACK = 4  # bytes that may be read behind a window's last one, and must be there


@dataclass(frozen=True, slots=True)
class Across:
    """For each column of the result: where its run of pixels starts in a row, and the weight of each of them.

    `starts` int32 (columns); `weights` (taps, columns), int32 or float32. Sums of whole ones are shifted down by
    `shift` bits.
    """

    starts: npt.NDArray[np.int32]
    weights: npt.NDArray[Any]
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Down:
    """For each row of the result the rows it is made of, and their weights: whole numbers only where Across has them.

    `rows` intp (taps, rows) of the source; `weights` (taps, rows), int32 or float32. Whole numbers: each product is
    shifted down by `shift` bits, the sum gets `half` and is shifted down by `last` bits. Float32: the sum is times
    `gain`, and rounded.
    """

    rows: npt.NDArray[np.intp]
    weights: npt.NDArray[Any]
    shift: int = 0
    half: int = 0
    last: int = 0
    gain: float = 1.0


def resampled(source: Bytes, across: Across, down: Down, out: Bytes) -> None:
    """`source` (channels, rows, columns) through the weights into `out` (channels, len of down, len of across).

    Both may be windows of larger arrays with pixels side by side; SLACK bytes behind the source's last pixel are there.
    """
    counts = np.zeros(source.shape[1], np.intp)
    counts[down.rows] = 1
    used, places = np.flatnonzero(counts), np.cumsum(counts)[down.rows] - 1  # shrinking skips rows
    if native() and source.strides[2] == out.strides[2] == 1:
        _by_machine(source, across, down, used, places, out)
    else:
        _by_numpy(source, across, down, used, places, out)


def _by_machine(
    source: Bytes, across: Across, down: Down, used: npt.NDArray[np.intp], places: npt.NDArray[np.intp], out: Bytes
) -> None:
    whole = across.weights.dtype == np.int32
    pair = whole and len(across.weights) == 2
    weights = across.weights if pair else _in_fours(across.weights)
    columns, (channels, rows) = len(across.starts), out.shape[:2]
    pitch = 4 * (-(-columns // WIDEST) * WIDEST)
    lines = scratch("lines", channels * len(used) * pitch)
    kind = "whole" if whole else "float"
    buffer, plane = address(lines), len(used) * pitch
    call(f"across {kind} {pair}", _ACROSS[whole, pair], ACROSS, {
        "source": address(source), "source_plane": source.strides[0], "source_row": source.strides[1],
        "planes": channels, "used": address(used), "lines": len(used), "columns": columns,
        "starts": address(across.starts), "weights": address(weights), "groups": len(weights) // FOUR,
        "shift": across.shift, "buffer": buffer, "buffer_plane": plane, "pitch": pitch,
    })  # fmt: skip
    gain, down_whole = np.array([down.gain], np.float32), down.weights.dtype == np.int32
    call(f"down {kind} {down_whole}", _DOWN[whole, down_whole], DOWN, {
        "buffer": buffer, "buffer_plane": plane, "pitch": pitch, "planes": channels, "rows": rows, "columns": columns,
        "places": address(places), "weights": address(down.weights), "taps": len(down.weights),
        "shift": down.shift, "half": down.half, "last": down.last, "gain": address(gain),
        "target": address(out), "target_plane": out.strides[0], "target_row": out.strides[1],
    })  # fmt: skip


def _in_fours(weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """With further taps of weight 0, so that they come in fours."""
    more = -len(weights) % FOUR
    return np.concatenate([weights, np.zeros((more, weights.shape[1]), weights.dtype)]) if more else weights


_ACROSS = {
    (whole, pair): partial(write_across, whole=whole, pair=pair)
    for whole, pair in ((True, True), (True, False), (False, False))
}
_DOWN = {
    (lines, whole): partial(write_down, lines=lines, whole=whole)
    for lines, whole in ((True, True), (True, False), (False, False))
}


# --- the same in NumPy ------------------------------------------------------------------------------------------------


def _by_numpy(
    source: Bytes, across: Across, down: Down, used: npt.NDArray[np.intp], places: npt.NDArray[np.intp], out: Bytes
) -> None:
    kind, last = across.weights.dtype.type, down.weights.dtype.type
    rows = source[:, used]
    lines = np.zeros((*rows.shape[:2], len(across.starts)), kind)
    for tap, weights in enumerate(across.weights):
        lines += rows[:, :, _inside(across.starts + tap, source.shape[2])].astype(kind) * weights
    if kind is np.int32:
        lines >>= kind(across.shift)
    total = np.zeros((len(source), *out.shape[1:]), last)
    for row, weights in zip(places, down.weights, strict=True):
        product = lines[:, row].astype(last) * weights[:, None]
        total += product >> last(down.shift) if last is np.int32 else product
    whole = last is np.int32
    result = (total + last(down.half)) >> last(down.last) if whole else np.rint(total * last(down.gain))
    out[...] = np.clip(result, 0, 255)


def _inside(places: npt.NDArray[np.int32], columns: int) -> npt.NDArray[np.int32]:
    """Places behind the last column have weight 0."""
    return np.minimum(places, columns - 1)
