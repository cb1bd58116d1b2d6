"""The loop over time of LSTM and RNN on the CPU.

Inside, arrays are (..., features, streams): a gate of one step is then one stretch of memory, and the product of a
step multiplies the weights by a narrow matrix, which BLAS does about twice as fast as the other way round. Terms that
do not depend on the step before are computed for a whole chunk of steps at a time: the inputs' product, derivatives of
the gates, the gradients of weights and inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from brew.layer import Array, Arrays, Buffer, Implementation, Shape, Shapes, Wanted, count
from brew.ops.accumulate import add_matmul, scratch_shape

from ._recurrent import Recurrent

_TILE = 1 << 20  # elements of gates in a chunk


class RecurrentCPU(Implementation[Recurrent]):
    """Everything but the arithmetic of a step: `step`, `output`, `slopes`, `top_gradient` and `step_back`.

    work[s], for a state s, is (T + 1, H, N): before the first step, and after every one.
    """

    keeps_gates: ClassVar[bool]

    def prepare(self, shapes: Shapes, wanted: Wanted) -> Mapping[str, Buffer]:
        layer = self.layer
        self.sizes = steps, streams, inputs, _, hidden, rows = layer.sizes(shapes.x)
        self.chunk = chunk = max(1, min(steps, _TILE // max(1, rows * streams)))
        self.last = 2 + layer.has_static  # the number of W_h
        kept = wanted.backward
        kept_gates = kept and self.keeps_gates
        result = {
            "gates": Buffer((steps if kept_gates else chunk, rows, streams), kept=kept_gates),
            "columns": Buffer((rows, chunk * streams)),
            "constant": Buffer((rows, streams)),
            "product": Buffer((rows, streams)),
            "states": Buffer((hidden, chunk * streams)),
        }
        for state in layer.states:
            result[state] = Buffer((steps + 1, hidden, streams), kept=kept)
            result[f"masked {state}"] = Buffer((hidden, streams))
            if not layer.exposed:
                result[f"carried {state}"] = Buffer((streams, hidden), kept=True, carried=True)
            if kept:
                result[f"d{state}"] = Buffer((hidden, streams))
        if kept:
            result["slope"] = Buffer((chunk, rows, streams))
            result["top"] = Buffer((chunk, hidden, streams))
            result["total"] = Buffer((rows, streams))
            widths = (inputs, hidden, self.sizes.static)
            result["weights"] = Buffer((max(count(scratch_shape((rows, n))) for n in widths),))
        return result

    # --- a step: what the cells say -------------------------------------------------------------------------------

    def weights(self, io: Arrays) -> tuple[Array, Array]:
        """W_x and W_h as forward uses them."""
        return io.w[0], io.w[self.last]

    def constant(self, io: Arrays) -> Array:
        """(rows, N): what every step adds to the gates, the bias and the static input's part."""
        constant = io.work["constant"]
        if self.layer.has_static:
            np.matmul(io.w[2], self._static(io).T, out=constant)
            constant += io.w[1][:, np.newaxis]
        else:
            constant[...] = io.w[1][:, np.newaxis]
        return constant

    def step(self, t: int, gates: Array, w_h: Array, mask: Array | None, work: dict[str, Array]) -> None:
        """The states after step t, from those before it; `gates` holds what the inputs give."""
        raise NotImplementedError

    def output(self, io: Arrays, start: int, stop: int) -> None:
        """y of the steps."""
        raise NotImplementedError

    def slopes(self, io: Arrays, start: int, stop: int, slope: Array) -> None:
        """slope = the derivatives of the gates, as far as they do not depend on the steps behind."""
        raise NotImplementedError

    def top_gradient(self, io: Arrays, start: int, stop: int, top: Array) -> None:
        """top = what y's gradient gives to h of the steps."""
        raise NotImplementedError

    def step_back(self, k: int, slope: Array, top: Array, work: dict[str, Array]) -> None:
        """slope = the gradient of the gates of the chunk's step k; work["dh"] is the gradient from behind."""
        raise NotImplementedError

    # --- the loop -------------------------------------------------------------------------------------------------

    def forward(self, io: Arrays) -> None:
        work, cont, layer = io.work, io.x[1], self.layer
        for i, state in enumerate(layer.states):
            before = io.x[layer.first_state + i][0].T if layer.exposed else work[f"carried {state}"].T
            work[state][0] = before
        (w_x, w_h), constant = self.weights(io), self.constant(io)
        masks = self._masks(cont)
        for start in range(0, self.sizes.steps, self.chunk):
            stop = min(start + self.chunk, self.sizes.steps)
            gates = self._project(io, w_x, constant, start, stop)
            for t in range(start, stop):
                self.step(t, gates[t - start], w_h, masks[t], work)
            self.output(io, start, stop)
        for i, state in enumerate(layer.states):
            if layer.exposed:
                io.y[1 + i][0] = work[state][-1].T
            else:
                work[f"carried {state}"][...] = work[state][-1].T

    def backward(self, io: Arrays) -> None:
        work, layer, w_h = io.work, self.layer, io.w[self.last].T
        for i, state in enumerate(layer.states):
            work[f"d{state}"][...] = io.dy[1 + i][0].T if layer.exposed else 0
        work["total"][...] = 0
        masks = self._masks(io.x[1])
        for start in reversed(range(0, self.sizes.steps, self.chunk)):
            stop = min(start + self.chunk, self.sizes.steps)
            slope, top, dh = work["slope"][: stop - start], work["top"][: stop - start], work["dh"]
            self.slopes(io, start, stop, slope)
            self.top_gradient(io, start, stop, top)
            for k in reversed(range(stop - start)):
                self.step_back(k, slope[k], top[k], work)
                np.matmul(w_h, slope[k], out=dh)
                if (mask := masks[start + k]) is not None:
                    np.multiply(dh, mask, out=dh)
            self._gather(io, start, stop, slope)
        self._finish(io)

    def _masks(self, cont: Array) -> list[Array | None]:
        """cont of every step, None where all of it is 1."""
        return [None if whole else mask for whole, mask in zip((cont == 1).all(axis=1).tolist(), cont, strict=True)]

    def _static(self, io: Arrays) -> Array:
        return io.x[2].reshape(self.sizes.streams, self.sizes.static)

    def part(self, buffer: Array, steps: int) -> Array:
        """A buffer of columns, (features, chunk x N), for fewer steps."""
        shape: Shape = (len(buffer), steps * self.sizes.streams)
        return buffer.reshape(-1)[: count(shape)].reshape(shape)

    def by_step(self, columns: Array, steps: int) -> Array:
        """Columns (features, steps x N) seen as (steps, features, N)."""
        return columns.reshape(len(columns), steps, self.sizes.streams).transpose(1, 0, 2)

    def inputs(self, blob: Array, start: int, stop: int) -> Array:
        """x or its gradient, of the steps: (steps x N, D)."""
        _, streams, inputs, *_ = self.sizes
        return blob[start:stop].reshape((stop - start) * streams, inputs)

    def _project(self, io: Arrays, w_x: Array, constant: Array, start: int, stop: int) -> Array:
        """The gates of the steps, so far from the inputs only."""
        steps = stop - start
        gates = io.work["gates"]
        gates = gates[start:stop] if len(gates) == self.sizes.steps else gates[:steps]
        columns = self.part(io.work["columns"], steps)
        np.matmul(w_x, self.inputs(io.x[0], start, stop).T, out=columns)
        np.add(self.by_step(columns, steps), constant, out=gates)
        return gates

    def _gather(self, io: Arrays, start: int, stop: int, slope: Array) -> None:
        """The gradients of W_x, W_h and x, and the sum over the steps."""
        work, steps = io.work, stop - start
        columns = self.part(work["columns"], steps)
        self.by_step(columns, steps)[...] = slope
        work["total"] += slope.sum(axis=0)
        if (dw := io.dw[0]) is not None:
            self.add(columns, self.inputs(io.x[0], start, stop), dw, work)
        if (dw := io.dw[self.last]) is not None:
            before = self.part(work["states"], steps)
            np.multiply(work["h"][start:stop], io.x[1][start:stop, np.newaxis], out=self.by_step(before, steps))
            self.add(columns, before.T, dw, work)
        if (dx := io.dx[0]) is not None:
            np.matmul(columns.T, io.w[0], out=self.inputs(dx, start, stop))

    def add(self, a: Array, b: Array, out: Array, work: dict[str, Array]) -> None:
        """out += a @ b."""
        shape = scratch_shape(out.shape)
        add_matmul(a, b, out, work["weights"][: count(shape)].reshape(shape))

    def _finish(self, io: Arrays) -> None:
        """The gradients of bias, static input and first states."""
        layer, total = self.layer, io.work["total"]
        if io.dw[1] is not None:
            io.dw[1] += total.sum(axis=1)
        if layer.has_static:
            if (dw := io.dw[2]) is not None:
                self.add(total, self._static(io), dw, io.work)
            if (dx := io.dx[2]) is not None:
                np.matmul(total.T, io.w[2], out=dx.reshape(self.sizes.streams, self.sizes.static))
        for i, state in enumerate(layer.states if layer.exposed else ()):
            if (dx := io.dx[layer.first_state + i]) is not None:
                dx[0] = io.work[f"d{state}"].T
