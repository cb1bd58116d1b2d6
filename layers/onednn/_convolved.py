"""Convolution with what follows it: ReLU, and in the test phase BatchNorm and Scale folded into its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ctypes import c_float

import numpy as np

from brew.cpu import onednn
from brew.cpu.onednn import Call, Description, Operation
from brew.cpu.onednn.after import After
from brew.layer import TRAIN, Arrays, Buffer, ChangeCount, Layer, Prepared, Shape, Shapes, Unsupported, Wanted, registry
from brew.layer.fused import Fused
from brew.layer.layout import Layout, Layouts
from brew.layers.batch_norm import BatchNorm
from brew.layers.eltwise import Eltwise
from brew.layers.relu import ReLU
from brew.layers.scale import Scale
from brew.ops.fold import fold
from brew.proto.brew_pb2 import EltwiseParameter

from ._filters import FiltersOneDNN


def relu_slope(layers: Sequence[Layer]) -> float | None:
    """The slope of the ReLU that ends the group; None where there is none."""
    last = layers[-1]
    if not isinstance(last, ReLU):
        return None
    if last.slope < 0:
        raise Unsupported("a slope below 0, in place")
    return last.slope


class ReLUBackward:
    """Backward of the ReLU that ends a group, in place in the gradient of its top: the mask is found in the top.

    `size` is of both as they lie.
    """

    def __init__(self, size: int, slope: float) -> None:
        flat = self.flat = Description((size,), "a")
        numbers = (c_float(slope), c_float(0))
        hint = Operation("eltwise_forward", onednn.FORWARD_TRAINING, onednn.RELU_FROM_TOP, flat, flat, *numbers)
        self.operation = Operation("eltwise_backward", onednn.RELU_FROM_TOP, flat, flat, flat, *numbers, hint=hint)

    def bind(self, io: Arrays) -> Call:
        gradient = (self.flat, io.dy[0])
        return self.operation.bind(
            {onednn.DST: (self.flat, io.y[0]), onednn.DIFF_DST: gradient, onednn.DIFF_SRC: gradient}
        )


class _Convolved(Fused):
    """A convolution by oneDNN that does more before it writes."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(layers)
        filters = next(registry.implementations(layers[0], "cpu", "onednn"))
        if not isinstance(filters, FiltersOneDNN):
            raise Unsupported("the engine has no convolution")
        self.filters = filters

    def ways(self) -> Mapping[str, str]:
        return self.filters.ways()


class Rectified(_Convolved):
    """In place or, without backward, not: backward finds the mask in the top, as the layers themselves do."""

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        slope = relu_slope(self.layers)
        assert slope is not None
        chosen = self.filters.choose(bottoms[0], shapes)
        self.relu = ReLUBackward(chosen.lies.y.size(shapes.y[0]), slope) if wanted.backward else None
        return self.filters.prepare_as(chosen, shapes, wanted, After().relu(slope))

    def bind(self, io: Arrays) -> None:
        self.filters.bind(io)
        if self.relu is not None:
            self.mask = self.relu.bind(io)

    def forward(self, io: Arrays) -> None:
        self.filters.forward(io)

    def backward(self, io: Arrays) -> None:
        self.mask()
        self.filters.backward(io)


class Folded(_Convolved):
    """In the test phase: with a = scale / sqrt(variance + eps), the weights times a, and a bias that has the rest.

    Weights and bias are made again when a parameter may have changed. A sum with another blob is added at the end.
    """

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if self.layers[0].context.phase == TRAIN or wanted.backward:
            raise Unsupported("training, or gradients: the layers' own backward needs what their own forward leaves")
        self._read_layers(shapes)
        weights, after = shapes.w[0], After()
        channels = (weights[0],)
        own = Shapes(shapes.x[:1], shapes.y, (weights, channels))
        chosen = self.filters.choose(bottoms[0], own)
        self.other: Description | None = None
        if len(shapes.x) > 1:
            self.other = onednn.describe(shapes.y[0], chosen.lies.y)
            self.place = after.add(self.other)
        if (slope := relu_slope(self.layers)) is not None:
            after.relu(slope)
        prepared = self.filters.prepare_as(chosen, own, Wanted((False,), (False, False)), after)
        x, y = prepared.layouts.x, prepared.layouts.y
        folded = {"folded_w": Buffer(weights), "folded_b": Buffer(channels, kept=True)}
        return Prepared(Layouts((*x, *y * (len(shapes.x) - 1)), y), {**prepared.buffers, **folded})

    def _read_layers(self, shapes: Shapes) -> None:
        y: Shape = shapes.y[0]
        self.norm = next((layer for layer in self.layers if isinstance(layer, BatchNorm)), None)
        self.scale = next((layer for layer in self.layers if isinstance(layer, Scale)), None)
        if self.norm is not None and not self.norm.stored:
            raise Unsupported("the batch's statistics")
        if self.scale is not None and (len(self.scale.param.bottom) > 1 or self.scale.fold([y]) != fold(y, 1)):
            raise Unsupported("a scale that is not one number per channel")
        if any(isinstance(layer, Eltwise) and not plain_sum(layer, shapes) for layer in self.layers):
            raise Unsupported("an eltwise that is no plain sum of two")

    def bind(self, io: Arrays) -> None:
        added = {} if self.other is None else {self.place: (self.other, io.x[1])}
        self.changes, self.seen = ChangeCount(), -1
        own = [io.work["folded_w"], io.work["folded_b"]]
        self.own = Arrays(io.x[:1], io.y, own, [], [], [], io.work, io.passes, self.changes)
        self.filters.bind(self.own, added)

    def forward(self, io: Arrays) -> None:
        if self.seen != io.changes.number or not self.filters.keeps:
            self._fold(io)
            self.seen = io.changes.number
            self.changes.number += 1
        self.filters.forward(self.own)

    def _fold(self, io: Arrays) -> None:
        w, params = io.w[0], list(io.w[1:])
        bias = params.pop(0) if self.layers[0].param.convolution_param.bias_term else np.zeros(len(w), w.dtype)
        factor, summand = np.ones_like(bias), bias
        if self.norm is not None:
            mean, variance, weight = params[:3]
            del params[:3]
            known = 0 if weight[0] == 0 else 1 / weight[0]
            factor = 1 / np.sqrt(variance * known + w.dtype.type(self.norm.eps))
            summand = (bias - mean * known) * factor
        if self.scale is not None:
            scale, *shift = (param.reshape(-1) for param in params)  # they may cover further axes of size 1
            factor, summand = factor * scale, summand * scale
            if shift:
                summand = summand + shift[0]
        np.multiply(w, factor.reshape(-1, *(1,) * (w.ndim - 1)), out=io.work["folded_w"])
        io.work["folded_b"][...] = summand


def plain_sum(layer: Eltwise, shapes: Shapes) -> bool:
    """Whether it adds two blobs of one shape."""
    two = len(shapes.x) == 2 and len(layer.param.bottom) == 2 and len(set(layer.param.bottom)) == 2
    return layer.operation == EltwiseParameter.SUM and two and all(c == 1 for c in layer.coeff)
