"""Fillers: the initial values of parameters, by the formulas of Caffe's filler.hpp.

Values are drawn on the host in float64 and rounded to the net's type, so that a float32 net, a float64 net and one
on CUDA start from the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.errors import BrewError, did_you_mean
from brew.proto.brew_pb2 import FillerParameter

from .contract import Param
from .layout import Shape, count
from .random import Stream

Values: TypeAlias = npt.NDArray[Any]
# `Layer.error` or alike: takes the message and perhaps `hint=`; the error it returns is raised.
Fail: TypeAlias = Callable[..., BrewError]

_CHUNK = 1 << 18  # float64 draws held at a time


def fill(
    filler: FillerParameter | None,
    shape: Shape,
    dtype: npt.DTypeLike,
    stream: Stream,
    fail: Fail,
    into: Values | None = None,
) -> Values:
    """A host array of `shape` and `dtype`, filled as `filler` says; zeros where it is None.

    It is a new one, or `into`, which must be such an array of zeros. `stream` gives every random number. Raises the
    error that `fail` returns when the filler cannot fill this shape.
    """
    values = np.zeros(shape, dtype) if into is None else into
    if filler is None:
        return values
    check_filler(filler, shape, fail)
    if values.size:
        _FILLERS[filler.type](filler, values, stream.generator())
    return values


def initial(declared: Param, dtype: npt.DTypeLike, stream: Stream, fail: Fail, into: Values | None = None) -> Values:
    """The initial values of a declared parameter, as a host array: a new one, or `into` as in `fill`."""
    if declared.start is None:
        return fill(declared.filler, declared.shape, dtype, stream, fail, into)
    if into is None:
        return np.array(declared.start, dtype)
    into[...] = np.reshape(declared.start, into.shape)
    return into


def check_filler(filler: FillerParameter, shape: Shape, fail: Fail) -> None:
    """Raise the error that `fail` returns unless `filler` can fill `shape`; allocates nothing."""
    kind = filler.type
    if kind not in _FILLERS:
        near = did_you_mean(kind, _FILLERS)
        known = f"known fillers: {', '.join(_FILLERS)}"
        raise fail(f'unknown filler "{kind}"', hint=f"{near} {known}" if near else known)
    if filler.sparse != -1 and kind != "gaussian":
        raise fail(f'sparse is only for filler "gaussian", this one is "{kind}"')
    if kind == "gaussian":
        _check_gaussian(filler, shape, fail)
    elif kind == "uniform" and not filler.min <= filler.max:
        raise fail(f'filler "uniform" needs min <= max, got min {filler.min:g} and max {filler.max:g}')
    elif kind == "bilinear" and (len(shape) != 4 or shape[2] != shape[3]):
        raise fail(f'filler "bilinear" is for 4 axes with a square kernel, this parameter is {shape}')


def _check_gaussian(filler: FillerParameter, shape: Shape, fail: Fail) -> None:
    if not filler.std > 0:
        raise fail(f'filler "gaussian" needs std > 0, got {filler.std:g}')
    if filler.sparse < -1:
        raise fail(f"sparse must be -1 (off) or a number of weights, got {filler.sparse}")
    if filler.sparse >= 0 and not shape:
        raise fail("sparse needs a parameter of at least 1 axis, this one is a scalar")
    if shape and filler.sparse > shape[0]:
        raise fail(f"sparse {filler.sparse} is more than the first axis of the parameter, {shape[0]}")


def variance_divisor(filler: FillerParameter, shape: Shape) -> float:
    """The n of xavier and msra: fan-in, fan-out or their mean, counted as Caffe counts them.

    Fan-in is the size of one output's weights, count / shape[0]; fan-out is count / shape[1], and the whole
    count for one axis. So `group` divides the fan-in of a convolution but not its fan-out.
    """
    total = count(shape)
    fan_in = total / shape[0] if shape else 1.0
    fan_out = total / shape[1] if len(shape) > 1 else float(total)
    if filler.variance_norm == FillerParameter.FAN_OUT:
        return fan_out
    return (fan_in + fan_out) / 2 if filler.variance_norm == FillerParameter.AVERAGE else fan_in


def _chunks(values: Values) -> Iterator[Values]:
    flat = values.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        yield flat[start : start + _CHUNK]


def _uniform(values: Values, draws: np.random.Generator, low: float, high: float) -> None:
    for chunk in _chunks(values):
        chunk[...] = draws.uniform(low, high, chunk.size)


def _normal(values: Values, draws: np.random.Generator, mean: float, std: float) -> None:
    for chunk in _chunks(values):
        chunk[...] = draws.normal(mean, std, chunk.size)


def _fill_constant(filler: FillerParameter, values: Values, draws: np.random.Generator) -> None:
    values[...] = filler.value


def _fill_uniform(filler: FillerParameter, values: Values, draws: np.random.Generator) -> None:
    _uniform(values, draws, filler.min, filler.max)


def _fill_gaussian(filler: FillerParameter, values: Values, draws: np.random.Generator) -> None:
    """N(mean, std²); with `sparse` each weight is kept with probability sparse / shape[0]."""
    _normal(values, draws, filler.mean, filler.std)
    if filler.sparse >= 0:
        kept = filler.sparse / values.shape[0]
        for chunk in _chunks(values):
            chunk[draws.random(chunk.size) >= kept] = 0


def _fill_positive_unitball(filler: FillerParameter, values: Values, draws: np.random.Generator) -> None:
    """U(0, 1), then every shape[0] row divided by its sum."""
    _uniform(values, draws, 0, 1)
    rows = values.reshape(values.shape[0] if values.ndim else 1, -1)
    rows /= rows.sum(axis=1, keepdims=True)


def _fill_xavier(filler: FillerParameter, values: Values, draws: np.random.Generator) -> None:
    """Uniform of variance 1/n (Glorot and Bengio, AISTATS 2010)."""
    limit = math.sqrt(3 / variance_divisor(filler, values.shape))
    _uniform(values, draws, -limit, limit)


def _fill_msra(filler: FillerParameter, values: Values, draws: np.random.Generator) -> None:
    """Normal of variance 2/n (He et al., ICCV 2015)."""
    _normal(values, draws, 0, math.sqrt(2 / variance_divisor(filler, values.shape)))


def _fill_bilinear(filler: FillerParameter, values: Values, draws: np.random.Generator) -> None:
    """The kernel that interpolates linearly when a Deconvolution enlarges by ceil(width / 2)."""
    width = values.shape[3]
    factor = math.ceil(width / 2)
    center = (width - 1) / (2 * factor)
    line = 1 - np.abs(np.arange(width) / factor - center)
    values[...] = np.outer(line, line)


READS: dict[str, tuple[str, ...]] = {  # the fields of FillerParameter that count, besides `type`
    "constant": ("value",),
    "uniform": ("min", "max"),
    "gaussian": ("mean", "std", "sparse"),
    "positive_unitball": (),
    "xavier": ("variance_norm",),
    "msra": ("variance_norm",),
    "bilinear": (),
}
_FILLERS: dict[str, Callable[[FillerParameter, Values, np.random.Generator], None]] = {
    "constant": _fill_constant,
    "uniform": _fill_uniform,
    "gaussian": _fill_gaussian,
    "positive_unitball": _fill_positive_unitball,
    "xavier": _fill_xavier,
    "msra": _fill_msra,
    "bilinear": _fill_bilinear,
}
