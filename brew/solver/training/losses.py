"""The smoothed loss: mean of the last `average_loss` losses. On CUDA the window lives on the device."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from ctypes import c_float
from typing import Any

import numpy as np

from brew import cuda
from brew.layer import Array
from brew.net.loss_terms import LossTerms

_kernels = cuda.Kernels(r"""
// ring[slot] (+)= factor * sum of x; one block.
template <typename T>
__global__ void add_loss(long long n, const T* x, T* ring, long long size, long long slot, T factor, int fresh) {
  FOR_EACH_BLOCK(b, n) {
    T sum = 0;
    for (long long i = threadIdx.x; i < size; i += blockDim.x) sum += x[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) ring[slot] = (fresh ? (T)0 : ring[slot]) + factor * sum;
  }
}
""")


class LossWindow:
    """Collects the loss of each pass, the sum of `terms`; `mean` is the smoothed loss.

    An iteration's loss is the mean of its passes.
    """

    def __init__(self, terms: LossTerms, size: int, dtype: np.dtype[Any], device: str) -> None:
        self.terms, self.size, self.dtype = terms, size, dtype
        self.values: deque[float] = deque(maxlen=size)
        self._ring = cuda.zeros(size, dtype) if device == "cuda" else None
        self._filled = 0
        self._sum = 0.0

    def clear(self) -> None:
        self.values.clear()
        self._filled = 0

    def add(self, number: int, passes: int) -> None:
        """Count the loss as of pass `number` (0 to `passes` - 1) of this iteration."""
        if self._ring is not None:
            self._add_on_device(number, passes)
            return
        self._sum = (self._sum if number else 0.0) + self.terms.sum()
        if number == passes - 1:
            # in a solver state's precision, so that the window is the same after a resume
            self.values.append(c_float(self._sum / passes).value)

    def _add_on_device(self, number: int, passes: int) -> None:
        slot = self._filled % self.size
        fresh = number == 0
        for weight, blob in self.terms:
            x = blob.data_memory.array(blob.shape)
            _kernels.add_loss.by_block(1, x, self._ring, x.size, slot, weight / passes, int(fresh))
            fresh = False
        if number == passes - 1:
            self._filled += 1

    def latest(self, *, read_back: bool = False) -> float | None:
        """The last iteration's loss; on CUDA None unless it is to be read back."""
        if self._ring is None or not read_back:
            return self.values[-1] if self.values and self._ring is None else None
        return float(cuda.asnumpy(self._ring)[(self._filled - 1) % self.size])

    def drop(self) -> None:
        """Forget the last iteration's loss."""
        if self._ring is None:
            self.values.pop()
        else:
            self.restore(self.losses()[:-1])

    def losses(self) -> list[float]:
        """The window, oldest first (read back from the device)."""
        return list(self.values) if self._ring is None else self._listed(self._ring, self._filled)

    def noted(self) -> Callable[[], list[float]]:
        """The present `losses`, to be asked for later: on CUDA a copy on the device."""
        if self._ring is None:
            values = list(self.values)
            return lambda: values
        ring, filled = cuda.copied(self._ring), self._filled
        return lambda: self._listed(ring, filled)

    def _listed(self, ring: Array, filled: int) -> list[float]:
        host, held = cuda.asnumpy(ring), min(filled, self.size)
        return [float(host[i % self.size]) for i in range(filled - held, filled)]

    def restore(self, losses: list[float]) -> None:
        """Put back a window that `losses` gave."""
        self.clear()
        self.values.extend(losses)
        if self._ring is not None:
            host = np.zeros(self.size, self.dtype)
            kept = losses[-self.size :]
            host[: len(kept)] = kept
            cuda.upload(self._ring, host)
            self._filled = len(kept)

    def mean(self) -> float:
        losses = self.losses()
        return math.fsum(losses) / len(losses) if losses else 0.0
