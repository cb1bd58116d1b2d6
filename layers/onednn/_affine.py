"""A factor and a summand for each channel, by oneDNN's batch normalisation: mean 0, variance 1 and no epsilon."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np

from brew.cpu import onednn
from brew.cpu.onednn import Call, Description, Operation
from brew.layer import Array, Buffer, Implementation, Prepared, Shape, Shapes, Unsupported, Wanted
from brew.layer.arrays import following
from brew.layer.layout import Layout
from brew.layers.bias import Bias
from brew.layers.scale import Scale
from brew.ops.fold import fold

L = TypeVar("L", Bias, Scale)


class PerChannel(Implementation[L]):
    """Scale or Bias with one bottom of 4 axes and one parameter for each channel."""

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if len(shapes.x) != 1 or len(shapes.x[0]) != 4 or self.layer.fold(shapes.x) != fold(shapes.x[0], 1):
            raise Unsupported("only a parameter for each channel")
        return Prepared(following(bottoms, shapes), self.prepare_as(bottoms[0], shapes, wanted))

    def prepare_as(self, layout: Layout, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        """`prepare`, where bottom and top lie as `layout` says."""
        raise NotImplementedError


class Affine:
    """y = a x + b over the channels of a 4-D blob; a or b may be missing. Backward gives all three gradients."""

    def __init__(self, shape: Shape, layout: Layout, *, scale: bool, shift: bool, wanted: Wanted) -> None:
        if len(shape) != 4 or 0 in shape:
            raise Unsupported("only 4 axes, and none empty")
        self.x, self.channels = onednn.describe(shape, layout), Description(shape[1:2], "a")
        self.scale, self.shift = scale, shift
        flags = onednn.USE_GLOBAL_STATS | onednn.USE_SCALE * scale | onednn.USE_SHIFT * shift
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        zero = ctypes.c_float(1e-30)  # 1 + it is 1; behind the channels, where variances are 0, 1 / sqrt is a number
        make = "batch_normalization"
        self.forward_op = Operation(f"{make}_forward", kind, self.x, self.x, zero, flags)
        if wanted.backward:
            # For BACKWARD_DATA alone oneDNN refuses a scale: the sums are made, wanted or not.
            arguments = (onednn.BACKWARD, self.x, self.x, self.x, zero, flags)
            self.backward_op = Operation(f"{make}_backward", *arguments, hint=self.forward_op)
        self.size = shape[1]

    @cached_property
    def mean(self) -> Array:
        return np.zeros(self.size, np.float32)

    @cached_property
    def variance(self) -> Array:
        return np.ones(self.size, np.float32)

    def _given(self, a: Array | None, b: Array | None) -> dict[int, tuple[Description, Array]]:
        given = {onednn.MEAN: (self.channels, self.mean), onednn.VARIANCE: (self.channels, self.variance)}
        if a is not None:
            given[onednn.SCALE] = (self.channels, a)
        if b is not None:
            given[onednn.SHIFT] = (self.channels, b)
        return given

    def bind(self, x: Array, a: Array | None, b: Array | None, y: Array) -> Call:
        return self.forward_op.bind({onednn.SRC: (self.x, x), onednn.DST: (self.x, y), **self._given(a, b)})

    def bind_back(self, x: Array, a: Array | None, dy: Array, dx: Array, sums: tuple[Array, Array]) -> Call:
        """`sums` take the gradients of a and b; dx may be dy."""
        arguments = {onednn.SRC: (self.x, x), onednn.DIFF_DST: (self.x, dy), onednn.DIFF_SRC: (self.x, dx)}
        arguments |= self._given(a, None)
        if self.scale:
            arguments[onednn.DIFF_SCALE] = (self.channels, sums[0])
        if self.shift:
            arguments[onednn.DIFF_SHIFT] = (self.channels, sums[1])
        return self.backward_op.bind(arguments)
