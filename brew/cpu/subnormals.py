"""Subnormal numbers, below 1.2e-38, count as 0 while a net computes on the CPU: many a processor takes a hundred times
as long for an operation with one of them.

A thread's control register decides. On the calling thread it is set for a pass and put back after it: programs that
compute with NumPy between passes find it as they left it. OpenMP's threads that work for it keep it, since a word with
them before and after every pass would be a tenth of the time of a small net.
"""

from __future__ import annotations

import ctypes
import logging
import platform
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from . import after_fork, threads
from .after_fork import Inherited
from .library import library, why_not

log = logging.getLogger("brew")

_FLUSH = 1 << 15 | 1 << 6  # of MXCSR: results to 0, and operands
_PLACE = 28  # of MXCSR in glibc's fenv_t on x86-64, in bytes
_SIZE = 32
_TINY = np.finfo(np.float32).tiny  # asked here: numpy warns where finfo is first asked while subnormals are flushed
_SAMPLE = 1 << 14  # values of a blob that are looked at
_MANY = 0.01  # of them

T = TypeVar("T")


@cache
def _library() -> Any:
    """The C library's fegetenv and fesetenv; None where fenv_t is not known to be glibc's on x86-64."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc":
        return None
    try:
        library = ctypes.CDLL("libm.so.6")
        _ = library.fesetenv, library.fegetenv
    except (OSError, AttributeError):
        return None
    return library


@cache
def _openmp() -> Any:
    """OpenMP's way to call a function on all threads; None where oneDNN has none."""
    if why_not() is not None:
        return None
    try:
        run = library().GOMP_parallel
    except AttributeError:
        return None
    run.argtypes, run.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
    return run


class Flushed:
    """A context for a thread during a pass. Inside itself it does nothing.

    alone   OpenMP's threads stay as they are: this thread is one of several that work for another
    """

    def __init__(self) -> None:
        self.depth, self.alone = 0, False
        self._team: tuple[int, int | None] = (1, None)  # that has been told: its threads, and the process's fork
        self._library = _library()
        if self._library is not None:
            self._before, self._inside = (ctypes.create_string_buffer(_SIZE) for _ in range(2))
            self._known = b""
            self._set = ctypes.cast(self._library.fesetenv, ctypes.c_void_p).value

    def __enter__(self) -> None:
        self.depth += 1
        if self.depth > 1 or self._library is None:
            return
        self._library.fegetenv(self._before)
        if self._before.raw != self._known:
            self._known = self._before.raw
            control = int.from_bytes(self._known[_PLACE:], "little") | _FLUSH
            self._inside.raw = self._known[:_PLACE] + control.to_bytes(_SIZE - _PLACE, "little")
        self._library.fesetenv(self._inside)
        team = (threads.held(), Inherited.thread)
        if team != self._team and not self.alone and _openmp() is not None:
            self._tell(team)

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
        if self.depth == 0 and self._library is not None:
            self._library.fesetenv(self._before)

    def _tell(self, team: tuple[int, int | None]) -> None:
        """Threads that come later begin with the register of the one that starts them, which is this one in a pass."""
        told = self._set, ctypes.addressof(self._inside), team[0], 0
        if Inherited.thread is None:
            _openmp()(*told)
        else:  # OpenMP runs beside this thread
            after_fork.run(_openmp(), *told)
        self._team = team


class _Threads(threading.local):
    def __init__(self) -> None:
        self.own = Flushed()


_threads = _Threads()


def flushed() -> Flushed:
    """Inside, subnormal numbers count as 0 on this thread, and on OpenMP's that work for it."""
    return _threads.own


def inherited(work: Callable[[T, int], None]) -> Callable[[T, int], None]:
    """`work` as another thread has to do it, so that it treats subnormal numbers as this one does now."""
    if not _threads.own.depth:
        return work

    def run(item: T, thread: int) -> None:
        own = _threads.own
        own.alone = own.depth == 0
        try:
            with own:
                work(item, thread)
        finally:
            own.alone = False

    return run


def share(values: npt.NDArray[Any]) -> float:
    """The share of subnormal numbers in a sample of these float32 values."""
    flat = values.reshape(-1)
    sample = np.abs(flat[:: max(1, flat.size // _SAMPLE)])
    return float(np.count_nonzero((sample > 0) & (sample < _TINY)) / max(1, sample.size))


def log_many(blobs: Iterable[tuple[str, npt.NDArray[Any]]]) -> None:
    """Log one line where float32 weights have many subnormal numbers."""
    found = [(name, part) for name, values in blobs if values.dtype == np.float32 and (part := share(values)) > _MANY]
    if found:
        most, part = max(found, key=lambda pair: pair[1])
        others = f" and {len(found) - 1} more" if len(found) > 1 else ""
        log.info("Weights below %.1e count as 0: %.0f %% of %s%s.", _TINY, 100 * part, most, others)
