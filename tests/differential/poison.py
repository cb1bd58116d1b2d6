"""Memory that was never written holds NaN: fresh blobs, arenas, scratch, what layers save, conversions.

What the product promises to start as zeros stays zeros: kept buffers, parameters, and gradients of tops that no layer
writes before a layer reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.memory import arena, scratch
from brew.memory import blob as blob_module
from brew.memory.blob import Memory
from brew.net.net import Net
from brew.net.run import step

Array = npt.NDArray[Any]


class _State:
    pure = False


@contextmanager
def pure() -> Iterator[None]:
    """Inside of `poisoned`: memory as it comes, after all."""
    _State.pure = True
    try:
        yield
    finally:
        _State.pure = False


def spoil(array: Array) -> Array:
    """NaN, or the largest number of its kind, everywhere."""
    if _State.pure:
        return array
    if array.dtype.kind == "f":
        array.fill(np.nan)
    else:
        array.fill(True if array.dtype.kind == "b" else np.iinfo(array.dtype).max)
    return array


def unwritten(net: Net) -> None:
    """Mark the memories of a new net that begin unwritten: values, and gradients that a layer writes before one reads
    them. The other gradients begin as zeros."""
    written: set[Memory] = set()
    from_outside: set[Memory] = set()
    for s in reversed(net.executor.steps):
        if not s.wanted.backward:
            continue
        from_outside |= {top.diff_memory for top in s.tops} - written
        written |= {b.diff_memory for b, w in zip(s.bottoms, s.wanted.bottoms, strict=True) if w}
    for b in net._blob_list:
        for memory in (b.data_memory, b.diff_memory):
            if memory is b.data_memory or memory in written - from_outside:
                memory.begins_unwritten = True  # type: ignore[attr-defined]


@contextmanager
def poisoned() -> Iterator[None]:
    """All nets made inside begin on spoilt memory."""
    changes: list[tuple[Any, str, Any]] = []

    def change(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        changes.append((owner, name, owner.__dict__[name]))
        setattr(owner, name, make(owner.__dict__[name]))

    change(blob_module.Memory, "reserve", _reserve)
    change(arena.Arena, "flat", _flat)
    change(scratch.Scratch, "arrays", _scratch)
    change(step.Step, "_own", _own)
    try:
        yield
    finally:
        for owner, name, before in reversed(changes):
            setattr(owner, name, before)


def _reserve(before: Any) -> Any:
    def reserve(memory: Any, size: int) -> Any:
        fresh = size > memory.capacity
        moved = before(memory, size)
        if fresh and getattr(memory, "begins_unwritten", False) and memory.device == "cpu":
            flat = memory._home if memory.mirrored else memory._host
            if flat is not None:
                spoil(flat)
        return moved

    return reserve


def _flat(before: Any) -> Any:
    def flat(self: Any, dtype: Any) -> Any:
        fresh = dtype not in self._flats
        found = before(self, dtype)
        return spoil(found) if fresh and self.device == "cpu" else found

    return flat


def _scratch(before: Any) -> Any:
    def arrays(self: Any, buffers: Any, leases: Any) -> Any:
        found = before(self, buffers, leases)
        if self.device == "cpu":
            for array in found.values():
                spoil(array)
        return found

    return arrays


def _own(before: Any) -> Any:
    def own(self: Any, name: str, buffer: Any, dtype: Any) -> Any:
        old = self.kept.get(name)
        found = before(self, name, buffer, dtype)
        if buffer.saved and self.device == "cpu" and self.kept.get(name) is not old:
            spoil(found)
        return found

    return own
