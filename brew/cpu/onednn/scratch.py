"""Scratch memory of oneDNN's operations, lent by the thread that runs them.

oneDNN's own scratch memory belongs to a thread: an operation that is made on one and runs on another finds memory that
is too small, or none. So every operation is made for memory from outside (`dnnl_scratchpad_mode_user`), and each thread
keeps one stretch, which its operations use in turns.
"""

from __future__ import annotations

import threading
import weakref
from ctypes import byref, c_void_p
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.cpu.library import check, engine, library
from brew.layer.layout import ALIGN

_FROM_OUTSIDE = 1  # dnnl_scratchpad_mode_user


def new_attributes() -> c_void_p:
    """New attributes of operations, whose scratch memory comes from outside. The caller destroys them."""
    attributes = c_void_p()
    check("attributes", library().dnnl_primitive_attr_create(byref(attributes)))
    check("scratch memory", library().dnnl_primitive_attr_set_scratchpad_mode(attributes, _FROM_OUTSIDE))
    return attributes


@cache
def plain_attributes() -> c_void_p:
    """The attributes of operations that do nothing to their results on the way out."""
    return new_attributes()


class _Kept(threading.local):
    """The stretch of this thread, while a call uses it."""

    stretch: weakref.ref[npt.NDArray[Any]] | None = None


_kept = _Kept()
_sizes: dict[int, int] = {}  # of all scratchpads, by id; read while other threads make some


class Scratchpad:
    """The scratch memory of one call: `handle` is oneDNN's memory object, `size` its bytes."""

    def __init__(self, description: c_void_p) -> None:
        self.size = int(library().dnnl_memory_desc_get_size(description))
        self.handle = c_void_p()
        self._set = library().dnnl_memory_set_data_handle
        self._lent: npt.NDArray[Any] | None = None
        check("scratch memory", library().dnnl_memory_create(byref(self.handle), description, engine()[0], c_void_p()))
        weakref.finalize(self, library().dnnl_memory_destroy, self.handle)
        _sizes[id(self)] = self.size
        weakref.finalize(self, _sizes.pop, id(self))

    def lend(self) -> None:
        """Before the call runs: the stretch of the thread that runs it."""
        stretch = _kept.stretch() if _kept.stretch is not None else None
        if stretch is None or stretch.nbytes < self.size:
            stretch = _aligned(max(list(_sizes.values())))
            _kept.stretch = weakref.ref(stretch)
        if stretch is not self._lent:
            self._set(self.handle, c_void_p(stretch.ctypes.data))
            self._lent = stretch


def _aligned(size: int) -> npt.NDArray[Any]:
    flat = np.empty(size + ALIGN, np.uint8)
    start = -flat.ctypes.data % ALIGN
    return flat[start : start + size]
