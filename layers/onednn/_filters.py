"""Convolution and Deconvolution by oneDNN: primitives in blocked layouts, weights reordered as they are needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from brew import onednn
from brew.layer import TRAIN, Array, Arrays, Buffer, Implementation, Shape, Shapes, Wanted
from brew.layers._filters import Filters
from brew.layout import PLAIN, Layout, Layouts
from brew.onednn import Call, Description, Operation, Unsupported
from brew.onednn_after import After

_WASTE = 1.5  # multiply-adds with zeros behind the channels counted, per multiply-add; up to it blocks are faster


class FiltersOneDNN(Implementation[Filters]):
    """One bottom and one top of 4 axes. Weights and their gradients are plain outside, and oneDNN's own way inside."""

    kind: ClassVar[str]  # "convolution" or "deconvolution"
    algorithm: ClassVar[int]
    added: Mapping[int, tuple[Description, Array]] = {}  # what `after` adds to the top; set before `bind`

    def weight_shape(self, w: Shape) -> Shape:
        """The weights as oneDNN counts their axes: (outputs, inputs, ...) or, in groups, (groups, ...)."""
        raise NotImplementedError

    def plain_weights(self, w: Shape) -> Description:
        """How the parameter lies, with axes counted so."""
        return onednn.describe(self.weight_shape(w))

    def layouts(self, shapes: Shapes, bottoms: Sequence[Layout], wanted: Wanted) -> Layouts:
        x = shapes.x[0]
        if len(shapes.x) != 1 or len(x) != 4 or len(self.weight_shape(shapes.w[0])) not in (4, 5):
            raise Unsupported("only one bottom of 4 axes")
        blocked = Layout(onednn.block())
        few = x[1] <= 4 and not wanted.bottoms[0] and self.layer.own.group == 1
        self.x_layout, self.y_layout = PLAIN if few else blocked, blocked
        if not few and self._wasteful(x[1], shapes.y[0][1], blocked):
            self.x_layout, self.y_layout = Layout(x[1]), Layout(shapes.y[0][1])
        return Layouts((self.x_layout,), (self.y_layout,))

    def _wasteful(self, inputs: int, outputs: int, blocked: Layout) -> bool:
        """Whether much of the work would be on zeros behind the channels of bottom and top: then these lie last."""
        if self.layer.own.group != 1 or outputs % blocked.block == 0 or {8, 16} & {inputs, outputs}:
            return False
        return math.prod(blocked.size((1, n, 1, 1)) / n for n in (inputs, outputs)) > _WASTE

    def prepare(self, shapes: Shapes, wanted: Wanted, after: After | None = None) -> Mapping[str, Buffer]:
        """`after` is done to the top before it is written. Where `shapes.w` has a bias, there is one."""
        self.wanted = wanted
        self.window = self.layer.bank(shapes.x[0]).window
        self.x = onednn.describe(shapes.x[0], self.x_layout)
        self.y = onednn.describe(shapes.y[0], self.y_layout)
        weights = Description(self.weight_shape(shapes.w[0]), "any")
        self.plain_w = self.plain_weights(shapes.w[0])
        bias = [Description(shapes.w[1], "a")] if len(shapes.w) > 1 else [None]
        self.bias = bias[0]
        training = self.layer.context.phase == TRAIN
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        sizes = self._sizes()
        make = f"{self.kind}_forward"
        self.forward_op = Operation(
            make, kind, self.algorithm, self.x, weights, *bias, self.y, *sizes, attributes=after
        )
        self.forward_w = self.forward_op.description("weights")
        buffers = {"w": _flat(self.forward_w, kept=not training)}
        if wanted.bottoms[0]:
            make = f"{self.kind}_backward_data"
            self.data_op = Operation(make, self.algorithm, self.x, weights, self.y, *sizes, hint=self.forward_op)
            self.data_w = self.data_op.description("weights")
            if self.data_w != self.forward_w or training:
                buffers["data_w"] = _flat(self.data_w)
        if any(wanted.params):
            make = f"{self.kind}_backward_weights"
            self.weights_op = Operation(
                make, self.algorithm, self.x, weights, *bias, self.y, *sizes, hint=self.forward_op
            )
            self.weights_dw = self.weights_op.description("diff_weights")
            buffers["dw"] = _flat(self.weights_dw)
            if self.bias is not None:
                buffers["db"] = Buffer(shapes.w[1])
        return buffers

    def _sizes(self) -> list[object]:
        """Stride, dilation, and padding on both sides."""
        window = self.window
        dilation = onednn.dims(*(d - 1 for d in window.dilation))
        return [onednn.dims(*window.stride), dilation, onednn.dims(*window.pad), onednn.dims(*window.pad)]

    def bind(self, io: Arrays) -> None:
        work, self.seen = io.work, -1
        bias = {} if self.bias is None else {onednn.BIAS: (self.bias, io.w[1])}
        self.order_w = self._reorder(io, "w", self.forward_w)
        self.run = self.forward_op.bind(
            {onednn.SRC: (self.x, io.x[0]), onednn.WEIGHTS: (self.forward_w, work["w"]), **bias,
             onednn.DST: (self.y, io.y[0]), **self.added}
        )  # fmt: skip
        if io.dx and (dx := io.dx[0]) is not None:
            self._bind_data(io, dx)
        if any(dw is not None for dw in io.dw):
            self._bind_weights(io)

    def _bind_data(self, io: Arrays, dx: Array) -> None:
        name = "data_w" if "data_w" in io.work else "w"  # the same order serves forward and backward
        self.order_data_w = self._reorder(io, name, self.data_w)
        self.run_data = self.data_op.bind(
            {onednn.DIFF_SRC: (self.x, dx), onednn.WEIGHTS: (self.data_w, io.work[name]),
             onednn.DIFF_DST: (self.y, io.dy[0])}
        )  # fmt: skip

    def _bind_weights(self, io: Arrays) -> None:
        work = io.work
        bias = {} if self.bias is None else {onednn.DIFF_BIAS: (self.bias, work["db"])}
        self.run_weights = self.weights_op.bind(
            {onednn.SRC: (self.x, io.x[0]), onednn.DIFF_WEIGHTS: (self.weights_dw, work["dw"]), **bias,
             onednn.DIFF_DST: (self.y, io.dy[0])}
        )  # fmt: skip
        if io.dw[0] is not None:
            self.add_dw = Operation.reorder(self.weights_dw, self.plain_w, After().sum()).bind(
                {onednn.SRC: (self.weights_dw, work["dw"]), onednn.DST: (self.plain_w, io.dw[0])}
            )

    def _reorder(self, io: Arrays, name: str, wanted: Description) -> Call:
        operation = Operation.reorder(self.plain_w, wanted)
        return operation.bind({onednn.SRC: (self.plain_w, io.w[0]), onednn.DST: (wanted, io.work[name])})

    def forward(self, io: Arrays) -> None:
        if self.seen != io.version.number or not self.layer_keeps:
            self.order_w()
            self.seen = io.version.number
        self.run()

    @property
    def layer_keeps(self) -> bool:
        """Whether the reordered weights are the layer's own, and not in memory that all layers use."""
        return self.layer.context.phase != TRAIN

    def backward(self, io: Arrays) -> None:
        if any(dw is not None for dw in io.dw):
            self.run_weights()
            if io.dw[0] is not None:
                self.add_dw()
            if len(io.dw) > 1 and io.dw[1] is not None:
                np.add(io.dw[1], io.work["db"], out=io.dw[1])
        if io.dx[0] is not None:
            self.order_data_w()
            self.run_data()


def _flat(description: Description, *, kept: bool = False) -> Buffer:
    return Buffer((description.bytes // 4,), kept=kept)
