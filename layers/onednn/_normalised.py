"""BatchNorm with the Scale and the ReLU behind it as one normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from brew.layer import Arrays, Buffer, Prepared, Shapes, Unsupported, Wanted, count
from brew.layer.fused import Fused
from brew.layer.layout import Layout, Layouts
from brew.layers.batch_norm import BatchNorm
from brew.layers.relu import ReLU
from brew.layers.scale import Scale

from ._norms import Formula, norm
from ._sums import copy


class Normalised(Fused):
    """y = relu(a * (x - mean) / sqrt(variance + eps) + b), with the averages and gradients of the single layers.

    Where y overwrites x, x is kept in a buffer for backward.
    """

    stateful = True
    reads = frozenset("x")

    def _read_layers(self, shapes: Shapes, wanted: Wanted) -> Formula:
        self.norm = cast(BatchNorm, self.layers[0])
        scales = [layer for layer in self.layers if isinstance(layer, Scale)]
        relus = [layer for layer in self.layers if isinstance(layer, ReLU)]
        x = shapes.x[0]
        if len(x) < 2 or not count(x):
            raise Unsupported("an empty bottom, or one of a single axis")
        self.fold = self.norm.fold(x)
        if any(len(layer.param.bottom) > 1 or layer.fold([x]) != self.fold for layer in scales):
            raise Unsupported("a scale that is not one number per channel")
        if any(layer.slope for layer in relus):
            raise Unsupported("a ReLU with a slope")
        shifted = bool(scales) and scales[0].param.scale_param.bias_term
        return Formula(self.norm.eps, self.norm.stored, bool(scales), shifted, bool(relus), wanted.backward)

    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        self.formula = self._read_layers(shapes, wanted)
        if wanted.backward and not wanted.bottoms[0]:
            raise Unsupported("a gradient of the parameters alone")
        self.way = norm(shapes.x[0], bottoms[0], self.formula)
        terms = self.fold.outer * self.fold.inner
        self.unbias = terms / (terms - 1) if terms > 1 else 1.0
        buffers = dict(self.way.buffers)
        if wanted.backward and self.layers[0].param.top[0] == self.layers[0].param.bottom[0]:
            self.source, self.reads = "x", frozenset()
            buffers["x"] = Buffer(bottoms[0].stored(shapes.x[0]), saved=True)
        return Prepared(Layouts((bottoms[0],), (bottoms[0],)), buffers)

    def bind(self, io: Arrays) -> None:
        x = io.work[self.source] if self.source else io.x[0]
        scale, shift = io.w[3] if self.formula.scaled else None, io.w[4] if self.formula.shifted else None
        self.take = copy(io.x[0], x) if self.source and not self.fed else None
        self.run, self.run_back = self.way.bind(io, x, scale, shift)

    def forward(self, io: Arrays) -> None:
        self.again(io)
        if self.norm.stored:
            return
        mean, variance = (io.work[name][: self.fold.dim] for name in ("mean", "variance"))
        weights, keep = io.w, self.norm.keep
        unbiased = variance * variance.dtype.type(self.unbias)
        for blob, value in ((weights[0], mean), (weights[1], unbiased), (weights[2], 1)):
            np.multiply(blob, keep, out=blob)
            np.add(blob, value, out=blob)

    def again(self, io: Arrays) -> None:
        """Everything but the averages."""
        mean, variance, weights = io.work["mean"], io.work["variance"], io.w
        if self.norm.stored:
            weight = weights[2][0]
            factor = 0 if weight == 0 else 1 / weight
            np.multiply(weights[0], factor, out=mean)
            np.multiply(weights[1], factor, out=variance)
        if self.take is not None:
            self.take()
        self.run()

    def backward(self, io: Arrays) -> None:
        assert self.run_back is not None
        self.run_back()
        for gradient, found in zip(io.dw[3:], ("da", "db"), strict=False):
            if gradient is not None:
                np.add(gradient, io.work[found][: gradient.size].reshape(gradient.shape), out=gradient)
