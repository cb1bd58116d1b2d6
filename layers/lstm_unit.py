"""LSTMUnit: one step of long short-term memory, on gates computed by other layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.layer import Array, Arrays, Buffer, Implementation, Layer, Shape, Shapes, Wanted, exactly
from brew.layer.registry import register_layer
from brew.ops.lstm import advance, lstm_backward_cuda, lstm_forward_cuda, slopes


@register_layer
class LSTMUnit(Layer):
    """c = f (cont c') + i g, h = o tanh(c), with i, f, o logistic and g tanh of x.

    Bottoms  c'     (1 x N x H), the state before
             x      (1 x N x 4 H), what the gates are functions of, in the order i, f, o, g
             cont   (1 x N), 0 where a sequence begins, else 1; no gradient
    Tops     c, h   (1 x N x H)
    Example  bottom: "c_prev" bottom: "gates" bottom: "cont" top: "c" top: "h"

    Caffe unrolls its LSTM into these; LSTM here is one loop, and this type is for nets that name it.
    """

    type = "LSTMUnit"
    bottoms = exactly(3)
    tops = exactly(2)
    reads = frozenset("x")
    no_gradient = frozenset({2})

    def infer_shapes(self, bottom: Sequence[Shape]) -> list[Shape]:
        state = bottom[0]
        if len(state) != 3 or state[0] != 1 or bottom[1] != (*state[:2], 4 * state[2]) or bottom[2] != state[:2]:
            raise self.shape_error("a state (1 x N x H), gates (1 x N x 4 H) and cont (1 x N)", bottom)
        return [state, state]


class _Unit(Implementation[LSTMUnit]):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        _, self.streams, self.hidden = shapes.x[0]
        kept = wanted.backward
        gates = Buffer((self.streams, 4, self.hidden), kept=kept)
        return {"gates": gates, "c": Buffer((self.streams, self.hidden), kept=kept)}


@LSTMUnit.runs_on("cpu")
class _CPU(_Unit):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        state = (self.streams, self.hidden)
        own = {"before": Buffer(state), "share": Buffer(state), "slope": Buffer((self.streams, 4, self.hidden))}
        return {**buffers, **own}

    def forward(self, io: Arrays) -> None:
        work, before = io.work, self._before(io)
        gates, x = work["gates"], io.x[1][0].reshape(work["gates"].shape)
        np.multiply(x[:, :3], 0.5, out=gates[:, :3])
        gates[:, 3] = x[:, 3]
        advance(gates.swapaxes(0, 1), before, work["c"], io.y[1][0], work["share"])
        io.y[0][0] = work["c"]

    def backward(self, io: Arrays) -> None:
        work, before, dc = io.work, self._before(io), io.work["share"]
        gates, slope = (work[name].swapaxes(0, 1) for name in ("gates", "slope"))
        slopes(gates, before, work["c"], slope, dc)
        dh = io.dy[1][0]
        np.multiply(dc, dh, out=dc)
        np.add(dc, io.dy[0][0], out=dc)
        if io.dx[1] is not None:
            dx = io.dx[1][0].reshape(work["slope"].shape).swapaxes(0, 1)
            for part, factor, into in zip(slope, (dc, dc, dh, dc), dx, strict=True):
                np.multiply(part, factor, out=into)
        if io.dx[0] is not None:
            np.multiply(dc, gates[1], out=dc)
            np.multiply(dc, io.x[2][0][:, np.newaxis], out=io.dx[0][0])

    def _before(self, io: Arrays) -> Array:
        before: Array = np.multiply(io.x[0][0], io.x[2][0][:, np.newaxis], out=io.work["before"])
        return before


@LSTMUnit.runs_on("cuda")
class _CUDA(_Unit):
    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        x = Buffer((self.streams, 4, self.hidden))
        return {**buffers, "dx": x, "dbefore": Buffer((self.streams, self.hidden))}

    def forward(self, io: Arrays) -> None:
        (before, x, cont), (c, h), work = io.x, io.y, io.work
        lstm_forward_cuda(c.size, x, before, cont, cont, work["gates"], work["c"], h, h, self.hidden, True)
        cuda.copy(c, work["c"])

    def backward(self, io: Arrays) -> None:
        before, _, cont = io.x
        dc, dh = io.dy
        dbefore = io.work["dbefore"] if io.dx[0] is None else io.dx[0]
        dx = io.work["dx"] if io.dx[1] is None else io.dx[1]
        lstm_backward_cuda(
            dh.size, io.work["gates"], before, cont, io.work["c"], dh, dh, cont, dc, dx, dbefore, self.hidden, False,
            True,
        )  # fmt: skip
