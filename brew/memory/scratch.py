"""Scratch memory: buffers that layers need within one call, in memory that they use in turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from brew import cuda
from brew.layer import Array, Buffer, count
from brew.layer.layout import ALIGN

from .arena import Lease
from .keys import SCRATCH, Key


class Scratch:
    """Memory that all steps use in turn: for each type one stretch, as large as the largest need.

    stamp  new when a stretch grows
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.stamp = 0
        self._sizes: dict[np.dtype[Any], int] = {}  # elements
        self._flat: dict[np.dtype[Any], Array] = {}

    def need(self, buffers: Iterable[tuple[Buffer, np.dtype[Any]]]) -> None:
        """Make room for a step that uses all of `buffers` at once."""
        for dtype, size in elements(buffers).items():
            if size > self._sizes.get(dtype, -1):
                self._sizes[dtype] = size
                self._flat.pop(dtype, None)
                self.stamp += 1

    def arrays(
        self, buffers: Mapping[str, tuple[Buffer, np.dtype[Any]]], leases: Mapping[Key, Lease]
    ) -> dict[str, Array]:
        """One array for each of a layer's buffers, side by side: on its `leases` where they are large enough."""
        flats = {dtype: self._stretch(dtype, size, leases) for dtype, size in elements(buffers.values()).items()}
        taken: Counter[np.dtype[Any]] = Counter()
        result = {}
        for name, (buffer, dtype) in buffers.items():
            start = taken[dtype]
            result[name] = flats[dtype][start : start + count(buffer.shape)].reshape(buffer.shape)
            taken[dtype] += padded(buffer, dtype)
        return result

    def _stretch(self, dtype: np.dtype[Any], size: int, leases: Mapping[Key, Lease]) -> Array:
        lease = leases.get((SCRATCH, dtype))
        planned = lease.array((size,)) if lease is not None else None
        if planned is not None:
            return planned
        if dtype not in self._flat:
            make = np.empty if self.device == "cpu" else cuda.empty
            self._flat[dtype] = make(self._sizes[dtype], dtype)
        return self._flat[dtype]


def elements(buffers: Iterable[tuple[Buffer, np.dtype[Any]]]) -> Counter[np.dtype[Any]]:
    """How many elements of each type a layer needs that uses all of `buffers` at once."""
    sizes: Counter[np.dtype[Any]] = Counter()
    for buffer, dtype in buffers:
        sizes[dtype] += padded(buffer, dtype)
    return sizes


def padded(buffer: Buffer, dtype: np.dtype[Any]) -> int:
    """Elements a buffer takes, up to the next cache line."""
    line = ALIGN // dtype.itemsize
    return -(-count(buffer.shape) // line) * line
