"""Calls of functions that take one table: from any thread, and without the interpreter's lock while they run."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from brew.cpu.llvm import compiler
from brew.cpu.llvm.slots import Slots

from .writer import PixelWriter, made

Bytes = npt.NDArray[np.uint8]

WIDEST = 16  # float32 in the longest vectors that code is made for


def native() -> bool:
    """Whether there is machine code here; without it NumPy computes the same numbers."""
    return compiler.why_not() is None


@cache
def _entry(name: str, write: Callable[[PixelWriter], None]) -> tuple[Callable[[int], None], compiler.Function]:
    function = made(name, write)
    return ctypes.CFUNCTYPE(None, ctypes.c_int64)(function.address), function


def call(name: str, write: Callable[[PixelWriter], None], slots: Slots, values: Mapping[str, int]) -> None:
    """Run the function that `write` writes, on a table of these values; their arrays are the caller's to keep."""
    table = (ctypes.c_int64 * len(slots.names))(*[values[name] for name in slots.names])
    _entry(name, write)[0](ctypes.addressof(table))


class _Scratch(threading.local):
    """Memory that a thread uses again and again, by its purpose."""

    def __init__(self) -> None:
        self.kept: dict[str, npt.NDArray[np.uint8]] = {}


_scratch = _Scratch()


def scratch(purpose: str, size: int) -> Bytes:
    """At least `size` bytes of this thread's, of no particular contents, until it asks for this purpose again."""
    kept = _scratch.kept.get(purpose)
    if kept is None or kept.size < size:
        kept = _scratch.kept[purpose] = np.empty(size + size // 4 + 4 * WIDEST, np.uint8)
    return kept
