"""Convolution and Deconvolution in blocked layouts: by oneDNN, and where it has less to multiply, by Winograd."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from brew import onednn
from brew.layer import TRAIN, Array, Arrays, Buffer, Implementation, Shape, Shapes, Wanted
from brew.layers._filters import Filters
from brew.layout import PLAIN, Layout, Layouts
from brew.onednn import Description, Unsupported
from brew.onednn_after import After

from ._passes import DirectData, DirectForward, DirectWeights, Forward, Pass, Sizes
from ._winograd import Tiled, WinogradData, WinogradForward, WinogradWeights, tiled

_WASTE = 1.5  # multiply-adds with zeros behind the channels counted, per multiply-add; up to it blocks are faster


class FiltersOneDNN(Implementation[Filters]):
    """One bottom and one top of 4 axes."""

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
        x, y = shapes.x[0], shapes.y[0]
        if len(shapes.x) != 1 or len(x) != 4 or len(self.weight_shape(shapes.w[0])) not in (4, 5):
            raise Unsupported("only one bottom of 4 axes")
        blocked = Layout(onednn.block())
        few = x[1] <= 4 and not wanted.bottoms[0] and self.layer.own.group == 1
        self.tiled = None if few else self._tiled(x, y)
        fast = self.tiled is not None and self.tiled.forward().pays
        self.x_layout, self.y_layout = PLAIN if few else blocked, blocked
        if not few and not fast and self._wasteful(x[1], y[1], blocked):
            self.x_layout, self.y_layout, self.tiled = Layout(x[1]), Layout(y[1]), None
        return Layouts((self.x_layout,), (self.y_layout,))

    def _tiled(self, x: Shape, y: Shape) -> Tiled | None:
        """This layer for Winograd's algorithm; None where that cannot do it."""
        window, group = self.layer.bank(x).window, self.layer.own.group
        if self.kind != "convolution":
            return None
        sizes = (window.kernel, window.stride, window.pad, window.dilation)
        return tiled(x, y, *sizes, group, training=self.layer.context.phase == TRAIN)

    def _wasteful(self, inputs: int, outputs: int, blocked: Layout) -> bool:
        """Whether much of the work would be on zeros behind the channels of bottom and top: then these lie last."""
        if self.layer.own.group != 1 or outputs % blocked.block == 0 or {8, 16} & {inputs, outputs}:
            return False
        return math.prod(blocked.size((1, n, 1, 1)) / n for n in (inputs, outputs)) > _WASTE

    def prepare(self, shapes: Shapes, wanted: Wanted, after: After | None = None) -> Mapping[str, Buffer]:
        """`after` is done to the top before it is written. Where `shapes.w` has a bias, there is one."""
        sizes, of = self._sizes(shapes), self.tiled
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        hint = sizes.operation("forward", kind, after=after)
        self.forward_pass: Forward
        if of is not None and of.forward().pays:
            self.forward_pass = WinogradForward(of, after, biased=len(shapes.w) > 1)
        else:
            self.forward_pass = DirectForward(sizes, hint)
        self.backward_passes: list[Pass] = []
        if any(wanted.params):
            if of is not None and wanted.params[0] and of.weights().pays:
                self.backward_passes.append(WinogradWeights(of))
            else:
                bias = shapes.w[1] if len(shapes.w) > 1 else None
                self.backward_passes.append(DirectWeights(sizes, hint, bias))
        if wanted.bottoms[0]:
            fast = of is not None and of.data().pays
            self.backward_passes.append(WinogradData(of) if of is not None and fast else DirectData(sizes, hint))
        passes: list[Pass] = [self.forward_pass, *self.backward_passes]
        return {name: buffer for one in passes for name, buffer in one.buffers.items()}

    def _sizes(self, shapes: Shapes) -> Sizes:
        window = self.layer.bank(shapes.x[0]).window
        pads = onednn.dims(*window.pad)
        return Sizes(
            kind=self.kind, algorithm=self.algorithm, x=onednn.describe(shapes.x[0], self.x_layout),
            y=onednn.describe(shapes.y[0], self.y_layout),
            weights=Description(self.weight_shape(shapes.w[0]), "any"), plain_w=self.plain_weights(shapes.w[0]),
            bias=Description(shapes.w[1], "a") if len(shapes.w) > 1 else None,
            window=[onednn.dims(*window.stride), onednn.dims(*(d - 1 for d in window.dilation)), pads, pads],
            training=self.layer.context.phase == TRAIN,
        )  # fmt: skip

    def bind(self, io: Arrays) -> None:
        self.forward_pass.added = self.added
        self.forward_pass.bind(io)
        for one in self.backward_passes:
            one.bind(io)

    def forward(self, io: Arrays) -> None:
        self.forward_pass.run(io)

    def backward(self, io: Arrays) -> None:
        for one in self.backward_passes:
            one.run(io)
