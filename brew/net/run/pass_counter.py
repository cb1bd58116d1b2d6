"""How many forward passes of a net have begun, on the host and on its device: random numbers of layers depend on it."""

from __future__ import annotations

import numpy as np

from brew import cuda
from brew.layer import Array

_kernels = cuda.Kernels(r"""
template <typename T>
__global__ void next_pass(long long n, unsigned long long* passes) {
  FOR_EACH(i, n) { passes[i] += 1; }
}
""")

_64_BITS = 0xFFFF_FFFF_FFFF_FFFF


class PassCounter:
    """`begun` passes so far: part of the key of random numbers that layers draw (dropout).

    `array` holds the number of the present pass, from 0; it never moves.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.begun = 0
        self._array: Array | None = None

    @property
    def array(self) -> Array:
        if self._array is None:
            self.set(self.begun)
        assert self._array is not None
        return self._array

    def set(self, begun: int) -> None:
        """Say how many passes have begun so far; the next one is number `begun`."""
        self.begun = begun
        value = np.array([(begun - 1) & _64_BITS], np.uint64)
        if self._array is None:
            self._array = np.empty(1, np.uint64) if self.device == "cpu" else cuda.empty(1, np.uint64)
        if self.device == "cpu":
            self._array[...] = value
        else:
            cuda.upload(self._array, value)

    def next(self) -> None:
        """Begin a pass."""
        array = self.array
        self.begun += 1
        if self.device == "cpu":
            array[0] = (self.begun - 1) & _64_BITS
        else:
            _kernels.next_pass(1, array)
