"""How positions in one top map to those in another, and the Crop layer that aligns two tops of a NetSpec.

A map is (axis, scale, shift): position i of the one is position scale * i + shift of the other, along the spatial axes,
which follow `axis`. (None, 1, 0) is the map of what keeps all positions. Maps that differ by axis hold arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import NetError

from .net_spec import Function, Top
from .net_spec import layers as L

Numbers: TypeAlias = npt.NDArray[Any]
CoordMap: TypeAlias = tuple[int | None, Any, Any]

PASS_THROUGH_LAYERS = [
    "AbsVal", "BatchNorm", "Bias", "BNLL", "Clip", "Dropout", "Eltwise", "ELU", "Exp", "Log", "LRN", "MVN", "PReLU",
    "Power", "ReLU", "Scale", "Sigmoid", "Split", "Swish", "TanH", "Threshold",
]  # fmt: skip

_KEPT: CoordMap = (None, 1, 0)


class UndefinedMapException(NetError):
    """A layer that does not map positions to positions, as InnerProduct."""


class AxisMismatchException(NetError):
    """Maps along different axes."""


class NotConnected(NetError, RuntimeError):
    """Two tops without a common origin that both can be mapped to."""


class CannotCrop(NetError, AssertionError):
    """Two tops that no Crop layer aligns."""


def conv_params(fn: Function) -> tuple[int, Numbers, Numbers, Numbers]:
    """(axis, stride, kernel, pad) of a Convolution, Deconvolution, Im2col or Pooling; dilation widens the kernel."""
    params = _own(fn, "convolution_param", "pooling_param")

    def pair(name: str, default: int | None = None) -> Numbers:
        """One number, or one for each axis; `_h` and `_w` as well."""
        stem = name.removesuffix("_size")
        if f"{stem}_h" in params:
            return np.array([params[f"{stem}_h"], params[f"{stem}_w"]])
        if name not in params and default is None:
            raise UndefinedMapException(f"L.{fn.type_name} without {name} maps no positions", place=fn.place)
        return np.array(params.get(name, default), ndmin=1)

    kernel = (pair("kernel_size") - 1) * np.array(params.get("dilation", 1), ndmin=1) + 1
    return params.get("axis", 1), pair("stride", 1), kernel, pair("pad", 0)


def crop_params(fn: Function) -> tuple[int, Numbers]:
    """(axis, offset) of a Crop layer."""
    params = _own(fn, "crop_param")
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> CoordMap:
    """The map from a layer's bottom to its top; UndefinedMapException where there is none."""
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, kernel, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (kernel - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, kernel, pad = conv_params(fn)
        return axis, stride, (kernel - 1) / 2 - pad
    if fn.type_name in PASS_THROUGH_LAYERS:
        return _KEPT
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    raise UndefinedMapException(f"L.{fn.type_name} maps no positions", place=fn.place)


def compose(base_map: CoordMap, next_map: CoordMap) -> CoordMap:
    """`base_map` after `next_map`; AxisMismatchException."""
    (axis, scale, shift), (next_axis, next_scale, next_shift) = base_map, next_map
    if axis is not None and next_axis is not None and axis != next_axis:
        raise AxisMismatchException(f"one map begins at axis {axis}, the other at axis {next_axis}")
    return next_axis if axis is None else axis, scale * next_scale, scale * next_shift + shift


def inverse(coord_map: CoordMap) -> CoordMap:
    """The map back."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> CoordMap:
    """The map from positions in `top_from` to those in `top_to`, by way of a blob that both are made from.

    NotConnected, a RuntimeError, where there is none, AxisMismatchException where the ways to it do not fit.
    """
    from_origins = dict(_origins(top_from))
    for top, to_here in _origins(top_to):
        if top in from_origins:
            return compose(to_here, inverse(from_origins[top]))
    raise NotConnected(
        "Could not compute map between tops; are they connected by spatial layers? "
        f"L.{top_from.fn.type_name} and L.{top_to.fn.type_name} have no common origin"
    )


def crop(top_from: Top, top_to: Top) -> Any:
    """The top of a Crop layer that cuts `top_from` to the positions and the size of `top_to`.

    CannotCrop, an AssertionError, where their scales differ or the offset is negative or no whole number.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    scale, shift = np.atleast_1d(scale), np.atleast_1d(shift)
    if not (scale == 1).all():
        raise CannotCrop(f"scale mismatch on crop (a = {scale})")
    if not (shift <= 0).all():
        raise CannotCrop(f"cannot crop negative offset (b = {shift})")
    if not (np.round(shift) == shift).all():
        raise CannotCrop(f"cannot crop noninteger offset (b = {shift})")
    offset = [int(-number) for number in shift]
    return L.Crop(top_from, top_to, crop_param={"axis": 2 if axis is None else axis + 1, "offset": offset})


def _own(fn: Function, *messages: str) -> Mapping[str, Any]:
    return next((fn.params[name] for name in messages if name in fn.params), fn.params)


def _origins(top: Top) -> Iterator[tuple[Top, CoordMap]]:
    """Each blob that `top` is made from, itself first and the nearest next, and the map from it to `top`."""
    reached: dict[Top, CoordMap] = {top: _KEPT}
    waiting = [top]
    while waiting:
        here = waiting.pop(0)
        yield here, reached[here]
        bottoms: Sequence[Top] = here.fn.inputs[:1] if here.fn.type_name == "Crop" else here.fn.inputs
        try:
            step = coord_map(here.fn) if bottoms else _KEPT
        except UndefinedMapException:
            continue
        for bottom in bottoms:
            if bottom not in reached:
                reached[bottom] = compose(reached[here], step)
                waiting.append(bottom)
