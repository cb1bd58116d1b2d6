"""Conversions between a step and its blobs: where a blob has another layout than the step wants, the step works on an
array of its own, and the values are copied before and after."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

import numpy as np

from brew import cuda
from brew.cpu import onednn
from brew.layer import Array, Shape
from brew.layer.layout import PLAIN, Layout
from brew.memory.arena import Lease
from brew.memory.blob import Memory
from brew.memory.keys import Key, conversion

Copy = Callable[[], None]


class Crossing:
    """Arrays for a step in the layouts it wants, and the copies from and to blobs of another layout."""

    def __init__(self, what: str, leases: Mapping[Key, Lease]) -> None:
        """Of "values" or "gradients"; arrays live on the step's `leases` where there are such."""
        self._what, self._leases = what, leases
        self.before: list[Copy] = []
        self.after: list[Copy] = []
        self._arrays: dict[tuple[Memory, Layout], Array] = {}  # in place, the step works on one array too

    def reads(self, memory: Memory, shape: Shape, layout: Layout) -> Array:
        """An array that has the values before the step runs."""
        array = self._array(memory, shape, layout)
        if memory.layout != layout:
            self.before.append(onednn.copy(memory.array(shape), memory.layout, array, layout, shape))
        return array

    def writes(self, memory: Memory, shape: Shape, layout: Layout) -> Array:
        """An array whose values are the memory's after the step has run."""
        array = self._array(memory, shape, layout)
        if memory.layout != layout:
            self.after.append(onednn.copy(array, layout, memory.array(shape), memory.layout, shape))
        return array

    def moves(self, source: Memory, target: Memory, shape: Shape) -> None:
        """After the step has run, `target` gets what `source` holds."""
        here, there = source.array(shape), target.array(shape)
        if source.device == "cuda":
            self.after.append(partial(cuda.copy, there, here))
        elif source.layout == target.layout == PLAIN:
            self.after.append(partial(np.copyto, there, here))
        else:
            self.after.append(onednn.copy(here, source.layout, there, target.layout, shape))

    def adopt(self, other: Crossing, memories: Collection[Memory]) -> None:
        """Have the values that `other` has of these memories, in the same layouts."""
        for key, array in other._arrays.items():
            if key[0] in memories and key in self._arrays:
                self._arrays[key][...] = array

    def _array(self, memory: Memory, shape: Shape, layout: Layout) -> Array:
        if memory.layout == layout:
            return memory.array(shape)
        key = (memory, layout)
        if key not in self._arrays:
            lease, stored = self._leases.get(conversion(self._what, memory, layout)), layout.stored(shape)
            planned = lease.array(stored) if lease is not None else None
            self._arrays[key] = np.zeros(stored, memory.dtype) if planned is None else planned
        return self._arrays[key]
