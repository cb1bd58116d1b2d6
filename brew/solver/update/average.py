"""The moving average of a net's weights (ema_decay): often better than the weights of any one iteration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np

from brew import cuda
from brew.cpu.workers import Sweep, pieces
from brew.layer import Array
from brew.net import weights
from brew.net.parameters import Parameters

_kernels = cuda.Kernels(r"""
template <typename T>
__global__ void approach(long long n, T* average, const T* w, T part) {
  FOR_EACH(i, n) { average[i] += part * (w[i] - average[i]); }
}

template <typename T>
__global__ void swap_arrays(long long n, T* a, T* b) {
  FOR_EACH(i, n) {
    T kept = a[i];
    a[i] = b[i];
    b[i] = kept;
  }
}
""")


class WeightAverage:
    """average = d * average + (1 - d) * weights after each update, d = min(decay, (1 + t) / (10 + t)).

    t counts updates from 0, so that the first weights are soon forgotten, however near to 1 `decay` is (as TensorFlow's
    ExponentialMovingAverage with num_updates). It covers the whole arena, thus also what layers keep beside weights:
    BatchNorm's sums and their factor are averaged alike, so that mean and variance stay those of some weighting of
    the batches. `values` is as large as the arena, one slot of history more.
    """

    def __init__(self, parameters: Parameters, decay: float) -> None:
        self.parameters, self.decay = parameters, decay
        make = np.zeros if parameters.device == "cpu" else cuda.zeros
        self.values: Array = make(parameters.arena.size, parameters.dtype)
        self._pieces = list(pieces(0, self.values.size))
        self._sweep = Sweep(1, max((p.stop - p.start for p in self._pieces), default=0), parameters.dtype)
        self._in_net = False
        self.reset()

    def reset(self) -> None:
        """Begin again at the net's weights; needed after weights were loaded."""
        self._to_device()
        if self.parameters.device == "cpu":
            np.copyto(self.values, self.parameters.arena)
        else:
            cuda.copy(self.values, self.parameters.arena)

    def update(self, iteration: int) -> None:
        """Take the weights in after the update of `iteration`, counted from 0."""
        if self._in_net:
            raise RuntimeError("the average stands in the net: nothing to take in")
        part = 1.0 - min(self.decay, (1.0 + iteration) / (10.0 + iteration))
        arena = self.parameters.arena
        if self.parameters.device == "cuda":
            _kernels.approach(arena.size, self.values, arena, part)
            return

        def approach(piece: slice, difference: Array) -> None:
            np.subtract(arena[piece], self.values[piece], out=difference)
            difference *= part
            self.values[piece] += difference

        with np.errstate(all="ignore"):
            self._each(approach)

    def averaged(self) -> AbstractContextManager[None]:
        """A context in which the net, and all that share its weights, have the average; then their own, bit for bit."""
        return self._holding(True)

    def trained(self) -> AbstractContextManager[None]:
        """A context in which they have their own weights, within `averaged` too: for a snapshot during a test."""
        return self._holding(False)

    def restore(self, path: Path) -> None:
        """Take the average from a weights file; WeightsError as in `weights.copy_into`."""
        with self.averaged():
            weights.copy_into(self.parameters, path)

    @contextmanager
    def _holding(self, averaged: bool) -> Iterator[None]:
        if self._in_net == averaged:
            yield
            return
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        """Exchange the average and the net's weights in place."""
        arena = self.parameters.arena

        def exchange(piece: slice, kept: Array) -> None:
            np.copyto(kept, arena[piece])
            arena[piece] = self.values[piece]
            self.values[piece] = kept

        self._to_device()
        if self.parameters.device == "cuda":
            _kernels.swap_arrays(arena.size, self.values, arena)
            self.parameters.refresh_views()
        else:
            self._each(exchange)
        self._in_net = not self._in_net
        self.parameters.changes.number += 1

    def _to_device(self) -> None:
        """Copy host views of weights to the device, for values written there since the last pass."""
        for slot in self.parameters.owners:
            self.parameters.slots[slot].data_memory.upload()

    def _each(self, task: Callable[[slice, Array], None]) -> None:
        """`task` for every piece of the arena, with scratch of its size."""

        def fitting(piece: slice, scratch: Array) -> None:
            task(piece, scratch[0, : piece.stop - piece.start])

        self._sweep.each(fitting, self._pieces, self.values.size)
