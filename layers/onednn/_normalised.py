"""BatchNorm, Scale and ReLU in a row as oneDNN's one batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ctypes import c_float, c_uint
from typing import cast

import numpy as np

from brew import onednn
from brew.fused import Fused, fuses
from brew.layer import Array, Arrays, Buffer, Shapes, Wanted
from brew.layers.batch_norm import BatchNorm
from brew.layers.relu import ReLU
from brew.layers.scale import Scale
from brew.layout import Layout, Layouts
from brew.onednn import Call, Description, Operation, Unsupported


@fuses("BatchNorm", "Scale", "ReLU")
@fuses("BatchNorm", "ReLU")
@fuses("BatchNorm", "Scale")
class Normalised(Fused):
    """y = relu(a * (x - mean) / sqrt(variance + eps) + b), with the averages and gradients of the single layers.

    The mask of the ReLU is oneDNN's own (its workspace). Where y overwrites x, x is kept in a buffer for backward.
    """

    stateful = True
    reads = frozenset("x")

    def layouts(self, shapes: Shapes, bottoms: Sequence[Layout], wanted: Wanted) -> Layouts:
        self.layout = bottoms[0]
        return Layouts((self.layout,), (self.layout,))

    def _read_layers(self, shapes: Shapes) -> None:
        self.norm = cast(BatchNorm, self.layers[0])
        scales = [layer for layer in self.layers if isinstance(layer, Scale)]
        relus = [layer for layer in self.layers if isinstance(layer, ReLU)]
        x = shapes.x[0]
        if len(x) < 2 or not np.prod(x):
            raise Unsupported("an empty bottom, or one of a single axis")
        self.fold = self.norm.fold(x)
        if any(len(layer.param.bottom) > 1 or layer.fold([x]) != self.fold for layer in scales):
            raise Unsupported("a scale that is not one number per channel")
        if any(layer.slope for layer in relus):
            raise Unsupported("a ReLU with a slope")
        self.scaled, self.shifted = bool(scales), bool(scales) and scales[0].param.scale_param.bias_term
        self.flags = onednn.USE_SCALE * self.scaled | onednn.USE_SHIFT * self.shifted
        self.flags |= onednn.FUSE_RELU * bool(relus) | onednn.USE_GLOBAL_STATS * self.norm.stored

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        self._read_layers(shapes)
        if wanted.backward and not wanted.bottoms[0]:
            raise Unsupported("a gradient of the parameters alone")
        self.x, channels = onednn.describe(shapes.x[0], self.layout), (self.fold.dim,)
        self.row = Description(channels, "a")
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        if not wanted.backward and not self.norm.stored:
            kind = onednn.FORWARD_TRAINING  # the averages are wanted
        eps, flags = c_float(self.norm.eps), c_uint(self.flags)
        self.forward_op = Operation("batch_normalization_forward", kind, self.x, self.x, eps, flags)
        self.mask = self.forward_op.workspace
        made = [self.forward_op]
        if wanted.backward:
            descriptions = (self.x, self.x, self.x)
            self.backward_op = Operation(
                "batch_normalization_backward", onednn.BACKWARD, *descriptions, eps, flags, hint=self.forward_op
            )
            made.append(self.backward_op)
        if any("ref" in operation.implementation for operation in made):
            raise Unsupported("nothing fast")
        terms = self.fold.outer * self.fold.inner
        self.unbias = terms / (terms - 1) if terms > 1 else 1.0
        return self._buffers(shapes, wanted)

    def _buffers(self, shapes: Shapes, wanted: Wanted) -> dict[str, Buffer]:
        channels = (self.fold.dim,)
        buffers = {name: Buffer(channels, saved=wanted.backward) for name in ("mean", "variance")}
        if wanted.backward:
            buffers |= {name: Buffer(channels) for name in ("da", "db")}
            if self.layers[0].param.top[0] == self.layers[0].param.bottom[0]:
                self.source, self.reads = "x", frozenset()
                buffers["x"] = Buffer(self.layout.stored(shapes.x[0]), saved=True)
        if self.mask is not None:
            buffers["mask"] = Buffer((self.mask.bytes,), "uint8", saved=wanted.backward)
        return buffers

    def bind(self, io: Arrays) -> None:
        row, work = self.row, io.work
        x = work[self.source] if self.source else io.x[0]
        fixed: dict[int, tuple[Description, Array]] = {
            onednn.SRC: (self.x, x), onednn.MEAN: (row, work["mean"]), onednn.VARIANCE: (row, work["variance"]),
        }  # fmt: skip
        if self.mask is not None:
            fixed[onednn.WORKSPACE] = (self.mask, work["mask"])
        if self.scaled:
            fixed[onednn.SCALE] = (row, io.w[3])
        shift = {onednn.SHIFT: (row, io.w[4])} if self.shifted else {}
        self.run = self.forward_op.bind({**fixed, **shift, onednn.DST: (self.x, io.y[0])})
        if io.dx and io.dx[0] is not None:
            self.run_back = self._backward_call(io, fixed)

    def _backward_call(self, io: Arrays, fixed: Mapping[int, tuple[Description, Array]]) -> Call:
        arrays = {**fixed, onednn.DIFF_SRC: (self.x, io.dx[0]), onednn.DIFF_DST: (self.x, io.dy[0])}
        if self.scaled:
            arrays[onednn.DIFF_SCALE] = (self.row, io.work["da"])
        if self.shifted:
            arrays[onednn.DIFF_SHIFT] = (self.row, io.work["db"])
        return self.backward_op.bind(arrays)  # type: ignore[arg-type]

    def forward(self, io: Arrays) -> None:
        self.again(io)
        if self.norm.stored:
            return
        mean, variance, weights, keep = io.work["mean"], io.work["variance"], io.w, self.norm.keep
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
        self.run()

    def backward(self, io: Arrays) -> None:
        self.run_back()
        for gradient, found in zip(io.dw[3:], ("da", "db"), strict=False):
            if gradient is not None:
                np.add(gradient, io.work[found].reshape(gradient.shape), out=gradient)
