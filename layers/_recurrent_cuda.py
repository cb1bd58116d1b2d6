"""The loop over time of LSTM and RNN on CUDA: a product and a kernel for each step, the rest for a chunk of steps.

Arrays are (..., N, features), as the blobs have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from brew import cuda
from brew.cuda import Kernels
from brew.layer import Array, Arrays, Buffer, Implementation, Shapes, Wanted
from brew.ops.bias import add_bias_gradient_cuda

from ._recurrent import Recurrent

_TILE = 1 << 24  # elements of gates in a chunk

_kernels = Kernels(r"""
// What every step adds to its gates: the bias, and the static input's part where there is one.
template <typename T>
__global__ void recurrent_constant(long long n, T* constant, const T* bias, long long rows, bool add) {
  FOR_EACH(i, n) { constant[i] = bias[i % rows] + (add ? constant[i] : T(0)); }
}

template <typename T>
__global__ void recurrent_spread(long long n, T* gates, const T* constant, long long step) {
  FOR_EACH(i, n) { gates[i] = constant[i % step]; }
}

// out = x times its stream's cont.
template <typename T>
__global__ void recurrent_mask(long long n, const T* x, const T* cont, T* out, long long hidden) {
  FOR_EACH(i, n) { out[i] = x[i] * cont[i / hidden]; }
}
""")


class RecurrentCUDA(Implementation[Recurrent]):
    """Everything but the arithmetic of a step: `step`, `output`, `top_gradient` and `step_back`.

    work["h"] is (T + 1, N, H): the state each step multiplies W_h by, times its cont, and behind the last step the
    last state. work[s] of another state s: before the first step, and after every one.
    """

    keeps_gates: ClassVar[bool]

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        layer = self.layer
        self.sizes = steps, streams, _, _, hidden, rows = layer.sizes(shapes.x)
        self.chunk = chunk = max(1, min(steps, _TILE // max(1, rows * streams)))
        self.last = 2 + layer.has_static  # the number of W_h
        kept = wanted.backward
        kept_gates = kept and self.keeps_gates
        result = {
            "gates": Buffer((steps if kept_gates else chunk, streams, rows), kept=kept_gates),
            "constant": Buffer((streams, rows)),
        }
        for state in layer.states:
            result[state] = Buffer((steps + 1, streams, hidden), kept=kept)
            if not layer.exposed:
                result[f"carried {state}"] = Buffer((streams, hidden), kept=True, carried=True)
            if kept:
                result[f"d{state}"] = Buffer((streams, hidden))
        if kept:
            result["slope"] = Buffer((chunk, streams, rows))
        return result

    # --- a step: what the cells say -------------------------------------------------------------------------------

    def step(self, t: int, gates: Array, io: Arrays, next_cont: Array, last: bool) -> None:
        """The states after step t; `gates` holds all sums."""
        raise NotImplementedError

    def output(self, io: Arrays, start: int, stop: int) -> None:
        """y of the steps, where `step` does not write it."""

    def top_gradient(self, io: Arrays, start: int, stop: int) -> Array:
        """The part of y's gradient for h of the steps, (steps, N, H)."""
        return io.dy[0][start:stop]

    def step_back(self, t: int, slope: Array, top: Array, io: Arrays, next_cont: Array, last: bool) -> None:
        """slope = the gradient of the sums of step t; work["dh"] is the gradient of what the step behind took."""
        raise NotImplementedError

    # --- the loop -------------------------------------------------------------------------------------------------

    def forward(self, io: Arrays) -> None:
        work, layer, (steps, *_) = io.work, self.layer, self.sizes
        self._begin(io)
        self._constant(io)
        for start in range(0, steps, self.chunk):
            stop = min(start + self.chunk, steps)
            gates = self._project(io, start, stop)
            for t in range(start, stop):
                gate = gates[t - start]
                cuda.gemm(work["h"][t], io.w[self.last], gate, trans_b=True, beta=1.0)
                self.step(t, gate, io, *self._next(io, t))
            self.output(io, start, stop)
        for i, state in enumerate(layer.states):
            cuda.copy(io.y[1 + i] if layer.exposed else work[f"carried {state}"], work[state][steps])

    def backward(self, io: Arrays) -> None:
        work, layer, (steps, *_) = io.work, self.layer, self.sizes
        for i, state in enumerate(layer.states):
            if layer.exposed:
                cuda.copy(work[f"d{state}"], io.dy[1 + i])
            else:
                cuda.zero(work[f"d{state}"])
        cuda.zero(work["constant"])
        for start in reversed(range(0, steps, self.chunk)):
            stop = min(start + self.chunk, steps)
            slope, top = work["slope"][: stop - start], self.top_gradient(io, start, stop)
            for k in reversed(range(stop - start)):
                self.step_back(start + k, slope[k], top[k], io, *self._next(io, start + k))
                cuda.gemm(slope[k], io.w[self.last], work["dh"])
            self._gather(io, start, stop, slope)
        self._finish(io)

    def _next(self, io: Arrays, t: int) -> tuple[Array, bool]:
        """cont of the step behind t, and whether there is none."""
        last = t + 1 == self.sizes.steps
        return io.x[1][t if last else t + 1], last

    def _begin(self, io: Arrays) -> None:
        """The states before the first step."""
        work, layer, (steps, _, _, _, hidden, _) = io.work, self.layer, self.sizes
        for i, state in enumerate(layer.states):
            first, before = work[state][0], io.x[layer.first_state + i] if layer.exposed else work[f"carried {state}"]
            if state == "h" and steps:
                _kernels.recurrent_mask(first.size, before, io.x[1], first, hidden)
            else:
                cuda.copy(first, before)

    def _constant(self, io: Arrays) -> None:
        constant, rows = io.work["constant"], self.sizes.rows
        if self.layer.has_static:
            cuda.gemm(self._static(io.x[2]), io.w[2], constant, trans_b=True)
        _kernels.recurrent_constant(constant.size, constant, io.w[1], rows, self.layer.has_static)

    def _project(self, io: Arrays, start: int, stop: int) -> Array:
        """The gates of the steps, so far without the states."""
        gates, constant = io.work["gates"], io.work["constant"]
        gates = gates[start:stop] if len(gates) == self.sizes.steps else gates[: stop - start]
        _kernels.recurrent_spread(gates.size, gates, constant, constant.size)
        cuda.gemm(self._inputs(io.x[0], start, stop), io.w[0], self._rows(gates), trans_b=True, beta=1.0)
        return gates

    def _gather(self, io: Arrays, start: int, stop: int, slope: Array) -> None:
        """The gradients of W_x, W_h and x, and the sum over the steps."""
        rows = self._rows(slope)
        add_bias_gradient_cuda(slope.reshape(len(slope), -1, 1), io.work["constant"].reshape(-1))
        if io.dw[0] is not None:
            cuda.gemm(rows, self._inputs(io.x[0], start, stop), io.dw[0], trans_a=True, beta=1.0)
        if (dw := io.dw[self.last]) is not None:
            before = self._rows(io.work["h"][start:stop])
            cuda.gemm(rows, before, dw, trans_a=True, beta=1.0)
        if io.dx[0] is not None:
            cuda.gemm(rows, io.w[0], self._inputs(io.dx[0], start, stop))

    def _finish(self, io: Arrays) -> None:
        """The gradients of bias, static input and first states; constant holds the gates' sum over the steps."""
        layer, total = self.layer, io.work["constant"]
        if io.dw[1] is not None:
            add_bias_gradient_cuda(total[:, :, None], io.dw[1])
        if layer.has_static:
            if (dw := io.dw[2]) is not None:
                cuda.gemm(total, self._static(io.x[2]), dw, trans_a=True, beta=1.0)
            if (dx := io.dx[2]) is not None:
                cuda.gemm(total, io.w[2], self._static(dx))
        for i, state in enumerate(layer.states if layer.exposed else ()):
            if (dx := io.dx[layer.first_state + i]) is None:
                continue
            if state == "h" and self.sizes.steps:
                _kernels.recurrent_mask(dx.size, io.work["dh"], io.x[1], dx, self.sizes.hidden)
            else:
                cuda.copy(dx, io.work[f"d{state}"])

    def _rows(self, blob: Array) -> Array:
        """(steps, N, features) as a matrix."""
        return blob.reshape(blob.shape[0] * blob.shape[1], blob.shape[2])

    def _inputs(self, blob: Array, start: int, stop: int) -> Array:
        """x or its gradient, of the steps: (steps x N, D)."""
        return blob[start:stop].reshape((stop - start) * self.sizes.streams, self.sizes.inputs)

    def _static(self, blob: Array) -> Array:
        return blob.reshape(self.sizes.streams, self.sizes.static)
