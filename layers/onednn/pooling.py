"""Pooling by oneDNN: MAX and AVE without a mask, in the layout the bottom has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from brew.cpu import onednn
from brew.cpu.onednn import Operation
from brew.layer import Array, Arrays, Buffer, Implementation, Prepared, Shapes, Unsupported, Wanted
from brew.layer.layout import PLAIN, Layout, Layouts
from brew.layers.pooling import Pooling
from brew.proto.brew_pb2 import PoolingParameter


@Pooling.runs_on("cpu", "onednn")
class _OneDNN(Implementation[Pooling]):
    def prepare_in(self, bottoms: Sequence[Layout], shapes: Shapes, wanted: Wanted) -> Prepared:
        if len(shapes.y) != 1 or self.layer.method == PoolingParameter.STOCHASTIC or bottoms[0] == PLAIN:
            raise Unsupported("a mask, STOCHASTIC, or the plain layout")
        layout = bottoms[0]
        window, size, out = self.layer.window_over(shapes.x[0]), shapes.x[0][2:], shapes.y[0][2:]
        behind = [
            (o - 1) * s + k - n - p
            for o, s, k, n, p in zip(out, window.stride, window.kernel, size, window.pad, strict=True)
        ]
        maximum = self.layer.method == PoolingParameter.MAX
        if any(b >= k for b, k in zip(behind, window.kernel, strict=True)):
            raise Unsupported("windows wholly behind the input")
        # Caffe divides by the window's part within the padded input. Without padding that is its part of the input;
        # with it, oneDNN divides by all of the window, and the last row and column are put right.
        over = [max(0, b - p) for b, p in zip(behind, window.pad, strict=True)]
        self.factors = [k / (k - o) for k, o in zip(window.kernel, over, strict=True)]
        self.uneven = not maximum and any(over) and any(window.pad)
        self.x, self.y = onednn.describe(shapes.x[0], layout), onednn.describe(shapes.y[0], layout)
        average = onednn.POOLING_AVERAGE_WITH_PADDING if any(window.pad) else onednn.POOLING_AVERAGE
        algorithm = onednn.POOLING_MAX if maximum else average
        sizes = [
            onednn.dims(*window.stride), onednn.dims(*window.kernel), onednn.dims(0, 0), onednn.dims(*window.pad),
            onednn.dims(*behind),
        ]  # fmt: skip
        kind = onednn.FORWARD_TRAINING if wanted.backward else onednn.FORWARD_INFERENCE
        self.forward_op = Operation("pooling_forward", kind, algorithm, self.x, self.y, *sizes)
        self.workspace = self.forward_op.workspace
        if wanted.bottoms[0]:
            hint = self.forward_op
            self.backward_op = Operation("pooling_backward", algorithm, self.x, self.y, *sizes, hint=hint)
        buffers = {"dy": Buffer(layout.stored(shapes.y[0]))} if self.uneven and wanted.bottoms[0] else {}
        if self.workspace is not None:
            buffers["places"] = Buffer((self.workspace.bytes,), "uint8", saved=True)
        return Prepared(Layouts((layout,), (layout,)), buffers)

    def bind(self, io: Arrays) -> None:
        places = {} if self.workspace is None else {onednn.WORKSPACE: (self.workspace, io.work["places"])}
        self.run = self.forward_op.bind({onednn.SRC: (self.x, io.x[0]), onednn.DST: (self.y, io.y[0]), **places})
        if io.dx and io.dx[0] is not None:
            dy = io.work["dy"] if self.uneven else io.dy[0]
            self.run_back = self.backward_op.bind(
                {onednn.DIFF_SRC: (self.x, io.dx[0]), onednn.DIFF_DST: (self.y, dy), **places}
            )

    def _put_right(self, y: Array) -> None:
        """Windows at the end of each axis: from a share of the whole window to a share of its part."""
        tall, wide = self.factors
        y[:, :, -1] *= tall
        y[:, :, :, -1] *= wide

    def forward(self, io: Arrays) -> None:
        self.run()
        if self.uneven:
            self._put_right(io.y[0])

    def backward(self, io: Arrays) -> None:
        if io.dx[0] is None:
            return
        if self.uneven:
            np.copyto(io.work["dy"], io.dy[0])
            self._put_right(io.work["dy"])
        self.run_back()
