"""LSTM: long short-term memory, one loop over the steps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from brew.layer import Array, Arrays, Buffer, Shapes, Wanted, between
from brew.layer.registry import register_layer
from brew.ops.lstm import advance, lstm_backward_cuda, lstm_forward_cuda, slopes

from ._recurrent import Recurrent
from ._recurrent_cpu import RecurrentCPU
from ._recurrent_cuda import RecurrentCUDA


@register_layer
class LSTM(Recurrent):
    """c_t = f c' + i g, h_t = o tanh(c_t), with i, f, o logistic and g tanh of W_xc x_t + W_hc h' + b_c (+ W_s s).

    Bottoms  x      (T x N x ..., D elements for each of N streams in each of T steps)
             cont   (T x N): h' and c', the states before step t, are those after step t - 1 times cont[t]: 0 begins
                    a sequence, 1 goes on with one; no gradient
             s      (N x ..., S elements), optional: an input that is the same in every step
             h_0, c_0 (1 x N x H), with expose_hidden: the states before the first step
    Tops     y      (T x N x H), h of every step
             h_T, c_T (1 x N x H), with expose_hidden: the states after the last step
    Params   W_xc   (4 H, D), the gates in the order i, f, o, g
             b_c    (4 H)
             W_s    (4 H, S), where there is s
             W_hc   (4 H, H)
    Param    recurrent_param: num_output H, weight_filler, bias_filler, expose_hidden (false); debug_info says nothing
             here
    Example  bottom: "x" bottom: "cont" top: "h" recurrent_param { num_output: 256 weight_filler { type: "xavier" } }

    Without expose_hidden the states after the last step are those before the first of the next batch, and zero
    at the start and where N changes; no gradient goes from batch to batch. T may change. No peepholes.
    """

    type = "LSTM"
    bottoms = between(2, 5)
    tops = between(1, 3)
    blocks = 4
    states = ("h", "c")


@LSTM.runs_on("cpu")
class _CPU(RecurrentCPU):
    keeps_gates = True

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        _, streams, inputs, _, hidden, rows = self.sizes
        # `advance` wants the sums of i, f and o halved. Halving the weights instead is exact, and done once.
        self.half = np.repeat(np.array([0.5, 0.5, 0.5, 1], self.layer.context.dtype), hidden)[:, np.newaxis]
        scaled = {"w_x": Buffer((rows, inputs)), "w_h": Buffer((rows, hidden))}
        before = {"before": Buffer((self.chunk, hidden, streams)), "into c": Buffer((self.chunk, hidden, streams))}
        return {**buffers, **scaled, **before, "share": Buffer((hidden, streams))}

    def weights(self, io: Arrays) -> tuple[Array, Array]:
        w_x, w_h = io.work["w_x"], io.work["w_h"]
        return np.multiply(io.w[0], self.half, out=w_x), np.multiply(io.w[self.last], self.half, out=w_h)

    def constant(self, io: Arrays) -> Array:
        constant = super().constant(io)
        constant *= self.half
        return constant

    def step(self, t: int, gates: Array, w_h: Array, mask: Array | None, work: dict[str, Array]) -> None:
        h, c, product = work["h"], work["c"], work["product"]
        h_before, c_before = h[t], c[t]
        if mask is not None:
            h_before = np.multiply(h_before, mask, out=work["masked h"])
            c_before = np.multiply(c_before, mask, out=work["masked c"])
        np.matmul(w_h, h_before, out=product)
        np.add(gates, product, out=gates)
        advance(gates.reshape(4, *h_before.shape), c_before, c[t + 1], h[t + 1], work["share"])

    def output(self, io: Arrays, start: int, stop: int) -> None:
        io.y[0][start:stop] = io.work["h"][start + 1 : stop + 1].transpose(0, 2, 1)

    def slopes(self, io: Arrays, start: int, stop: int, slope: Array) -> None:
        work, mask, steps = io.work, io.x[1][start:stop, np.newaxis], stop - start
        before, into_c = work["before"][:steps], work["into c"][:steps]
        np.multiply(work["c"][start:stop], mask, out=before)
        blocks = (4, self.sizes.hidden, self.sizes.streams)
        gates = work["gates"][start:stop].reshape(steps, *blocks).swapaxes(0, 1)
        slopes(gates, before, work["c"][start + 1 : stop + 1], slope.reshape(steps, *blocks).swapaxes(0, 1), into_c)
        np.multiply(gates[1], mask, out=before)  # from here on: what of c's gradient reaches the step before

    def top_gradient(self, io: Arrays, start: int, stop: int, top: Array) -> None:
        top[...] = io.dy[0][start:stop].transpose(0, 2, 1)

    def step_back(self, k: int, slope: Array, top: Array, work: dict[str, Array]) -> None:
        dh, dc, share = work["dh"], work["dc"], work["share"]
        gates = slope.reshape(4, *dh.shape)
        np.add(dh, top, out=dh)
        np.multiply(dh, work["into c"][k], out=share)
        np.add(dc, share, out=dc)
        np.multiply(gates[:2], dc, out=gates[:2])
        np.multiply(gates[2], dh, out=gates[2])
        np.multiply(gates[3], dc, out=gates[3])
        np.multiply(dc, work["before"][k], out=dc)


@LSTM.runs_on("cuda")
class _CUDA(RecurrentCUDA):
    keeps_gates = True

    def step(self, t: int, gates: Array, io: Arrays, next_cont: Array, last: bool) -> None:
        h, c, y = io.work["h"], io.work["c"], io.y[0][t]
        lstm_forward_cuda(
            y.size, gates, c[t], io.x[1][t], next_cont, gates, c[t + 1], y, h[t + 1], self.sizes.hidden, last
        )

    def step_back(self, t: int, slope: Array, top: Array, io: Arrays, next_cont: Array, last: bool) -> None:
        work = io.work
        c, dc = work["c"], work["dc"]
        lstm_backward_cuda(
            top.size, work["gates"][t], c[t], io.x[1][t], c[t + 1], top, work["dh"], next_cont, dc, slope, dc,
            self.sizes.hidden, True, last,
        )  # fmt: skip
