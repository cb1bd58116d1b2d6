"""RNN: a plain recurrent network with an output layer, one loop over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from brew import cuda
from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Param, Shape, Shapes, Wanted, between, count
from brew.layer.registry import register_layer
from brew.ops.bias import add_bias_gradient_cuda

from ._recurrent import Recurrent
from ._recurrent_cpu import RecurrentCPU
from ._recurrent_cuda import RecurrentCUDA

_kernels = Kernels(r"""
// h = tanh(gates); `next` is h times the coming step's cont.
template <typename T>
__global__ void rnn_forward(long long n, const T* gates, const T* next_cont, T* h, T* next, long long hidden,
                            bool last) {
  FOR_EACH(i, n) {
    T value = tanh(gates[i]);
    h[i] = value;
    next[i] = last ? value : value * next_cont[i / hidden];
  }
}

// `behind` is the gradient of `next`.
template <typename T>
__global__ void rnn_backward(long long n, const T* h, const T* dh, const T* behind, const T* next_cont, T* dx,
                             long long hidden, bool last) {
  FOR_EACH(i, n) {
    T sum = dh[i] + (last ? behind[i] : behind[i] * next_cont[i / hidden]);
    dx[i] = sum * (1 - h[i] * h[i]);
  }
}

// y, and a copy of it, are tanh(y + bias).
template <typename T>
__global__ void rnn_output(long long n, T* y, const T* bias, T* kept, long long hidden) {
  FOR_EACH(i, n) {
    y[i] = tanh(y[i] + bias[i % hidden]);
    kept[i] = y[i];
  }
}

template <typename T>
__global__ void rnn_output_backward(long long n, const T* y, const T* dy, T* dx) {
  FOR_EACH(i, n) { dx[i] = dy[i] * (1 - y[i] * y[i]); }
}
""")


@register_layer
class RNN(Recurrent):
    """h_t = tanh(W_hh h' + W_xh x_t + b_h (+ W_s s)), y_t = tanh(W_ho h_t + b_o).

    Bottoms  x      (T x N x ..., D elements for each of N streams in each of T steps)
             cont   (T x N): h', the state before step t, is the one after step t - 1 times cont[t]: 0 begins a
                    sequence, 1 goes on with one; no gradient
             s      (N x ..., S elements), optional: an input that is the same in every step
             h_0    (1 x N x H), with expose_hidden: the state before the first step
    Tops     y      (T x N x H), the output of every step, not the state
             h_T    (1 x N x H), with expose_hidden: the state after the last step
    Params   W_xh   (H, D)
             b_h    (H)
             W_s    (H, S), where there is s
             W_hh   (H, H)
             W_ho   (H, H)
             b_o    (H)
    Param    recurrent_param: num_output H, weight_filler, bias_filler, expose_hidden (false); debug_info says nothing
             here
    Example  bottom: "x" bottom: "cont" top: "o" recurrent_param { num_output: 128 weight_filler { type: "xavier" } }

    Without expose_hidden the state after the last step is the one before the first of the next batch, and zero at
    the start and where N changes; no gradient goes from batch to batch. T may change.
    """

    type = "RNN"
    bottoms = between(2, 4)
    tops = between(1, 2)
    blocks = 1
    states = ("h",)

    def declare_params(self, bottom: Sequence[Shape]) -> list[Param]:
        hidden = self.own.num_output
        output = [Param((hidden, hidden), self.own.weight_filler), Param((hidden,), self.own.bias_filler)]
        return super().declare_params(bottom) + output

    def multiply_adds(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        return super().multiply_adds(bottom, top) + count(top[0]) * self.own.num_output


@RNN.runs_on("cpu")
class _CPU(RecurrentCPU):
    keeps_gates = False

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        if not wanted.backward:
            return buffers
        steps, streams, *_, hidden, _ = self.sizes
        kept, outer = Buffer((steps, streams, hidden), kept=True), Buffer((self.chunk, streams, hidden))
        return {**buffers, "y": kept, "outer": outer}

    def step(self, t: int, gates: Array, w_h: Array, mask: Array | None, work: dict[str, Array]) -> None:
        h, product = work["h"], work["product"]
        before, after = h[t], h[t + 1]
        if mask is not None:
            before = np.multiply(before, mask, out=work["masked h"])
        np.matmul(w_h, before, out=product)
        np.add(gates, product, out=after)
        np.tanh(after, out=after)

    def output(self, io: Arrays, start: int, stop: int) -> None:
        y = io.y[0][start:stop]
        rows = y.reshape(-1, self.sizes.hidden)
        np.matmul(self._states(io, start, stop).T, io.w[self.last + 1].T, out=rows)
        np.add(rows, io.w[self.last + 2], out=rows)
        np.tanh(rows, out=rows)
        if "y" in io.work:
            io.work["y"][start:stop] = y

    def slopes(self, io: Arrays, start: int, stop: int, slope: Array) -> None:
        np.square(io.work["h"][start + 1 : stop + 1], out=slope)
        np.subtract(1, slope, out=slope)

    def top_gradient(self, io: Arrays, start: int, stop: int, top: Array) -> None:
        outer = io.work["outer"][: stop - start]
        np.square(io.work["y"][start:stop], out=outer)
        np.subtract(1, outer, out=outer)
        np.multiply(outer, io.dy[0][start:stop], out=outer)
        rows = outer.reshape(-1, self.sizes.hidden)
        if (dw := io.dw[self.last + 1]) is not None:
            self.add(rows.T, self._states(io, start, stop).T, dw, io.work)
        if (dw := io.dw[self.last + 2]) is not None:
            dw += rows.sum(axis=0)
        states = self.part(io.work["states"], stop - start)
        np.matmul(io.w[self.last + 1].T, rows.T, out=states)
        top[...] = self.by_step(states, stop - start)

    def step_back(self, k: int, slope: Array, top: Array, work: dict[str, Array]) -> None:
        dh = work["dh"]
        np.add(dh, top, out=dh)
        np.multiply(slope, dh, out=slope)

    def _states(self, io: Arrays, start: int, stop: int) -> Array:
        """h after each of the steps, as columns."""
        columns = self.part(io.work["states"], stop - start)
        self.by_step(columns, stop - start)[...] = io.work["h"][start + 1 : stop + 1]
        return columns


@RNN.runs_on("cuda")
class _CUDA(RecurrentCUDA):
    keeps_gates = False

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        buffers = super().prepare(shapes, wanted)
        steps, streams, *_, hidden, _ = self.sizes
        whole, chunk = (steps, streams, hidden), (self.chunk, streams, hidden)
        kept = {"after": Buffer(whole, kept=wanted.backward), "y": Buffer(whole, kept=wanted.backward)}
        return {**buffers, **kept, "outer": Buffer(chunk), "top": Buffer(chunk)}

    def step(self, t: int, gates: Array, io: Arrays, next_cont: Array, last: bool) -> None:
        after = io.work["after"][t]
        _kernels.rnn_forward(after.size, gates, next_cont, after, io.work["h"][t + 1], self.sizes.hidden, last)

    def output(self, io: Arrays, start: int, stop: int) -> None:
        y, after = self._rows(io.y[0][start:stop]), self._rows(io.work["after"][start:stop])
        cuda.gemm(after, io.w[self.last + 1], y, trans_b=True)
        kept = io.work["y"][start:stop]
        _kernels.rnn_output(y.size, y, io.w[self.last + 2], kept, self.sizes.hidden)

    def top_gradient(self, io: Arrays, start: int, stop: int) -> Array:
        work, dy = io.work, io.dy[0][start:stop]
        outer, top = work["outer"][: stop - start], work["top"][: stop - start]
        _kernels.rnn_output_backward(dy.size, work["y"][start:stop], dy, outer)
        rows = self._rows(outer)
        if (dw := io.dw[self.last + 1]) is not None:
            cuda.gemm(rows, self._rows(work["after"][start:stop]), dw, trans_a=True, beta=1.0)
        if (dw := io.dw[self.last + 2]) is not None:
            add_bias_gradient_cuda(rows[:, :, None], dw)
        cuda.gemm(rows, io.w[self.last + 1], self._rows(top))
        return top

    def step_back(self, t: int, slope: Array, top: Array, io: Arrays, next_cont: Array, last: bool) -> None:
        work = io.work
        after = work["after"][t]
        _kernels.rnn_backward(after.size, after, top, work["dh"], next_cont, slope, self.sizes.hidden, last)
