"""Subnormal numbers, below 1.2e-38, count as 0 while a net computes on the CPU: many a processor takes a hundred times
as long for an operation with one of them.

A thread's control register decides. On the calling thread it is set for a pass and put back after it: programs that
compute with NumPy between passes find it as they left it. OpenMP's threads that work for it keep it, since a word with
them before and after every pass would be a tenth of the time of a small net.
"""

from __future__ import annotations

import ctypes
import logging
import mmap
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

_TINY = np.finfo(np.float32).tiny  # asked here: numpy warns where finfo is first asked while subnormals are flushed
_SAMPLE = 1 << 14  # values of a blob that are looked at
_MANY = 0.01  # of them

T = TypeVar("T")


# The register can be read and written by two instructions alone, and C's libraries put the x87's state around them,
# which takes ten times as long. What is called gets an address, in rdi, as System V's convention says.
_FLUSH = bytes.fromhex(
    "0fae1f"  # stmxcsr [rdi]: as it is, to be put back
    "8b07 0d40800000 894704"  # or with bits 15 and 6, results and operands that are subnormal are 0: at rdi + 4
    "0fae5704 c3"  # ldmxcsr [rdi + 4]
)
_LOAD = bytes.fromhex("0fae17 c3")  # ldmxcsr [rdi]


class _Code:
    """The two functions, in memory that may be run. OSError where the system refuses that."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)
        self._memory.write(_FLUSH + _LOAD)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        if libc.mprotect(start, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC):
            raise OSError(ctypes.get_errno(), "mprotect")
        function = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
        self.load_at = start + len(_FLUSH)
        self.flush, self.load = function(start), function(self.load_at)


@cache
def _code() -> _Code | None:
    """None where they are not known, or cannot be run: numbers stay as they are then."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    try:
        return _Code()
    except OSError as error:
        log.debug("subnormal numbers are computed with: %s", error)
        return None


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
        self._code = _code()
        self._registers = (ctypes.c_uint32 * 2)()  # as it was, and as it is inside
        self._place = ctypes.addressof(self._registers)

    def __enter__(self) -> None:
        self.depth += 1
        if self.depth > 1 or self._code is None:
            return
        self._code.flush(self._place)
        team = (threads.held(), Inherited.thread)
        if team != self._team and not self.alone and _openmp() is not None:
            self._tell(team)

    def __exit__(self, *_: object) -> None:
        self.depth -= 1
        if self.depth == 0 and self._code is not None:
            self._code.load(self._place)

    def _tell(self, team: tuple[int, int | None]) -> None:
        """Threads that come later begin with the register of the one that starts them, which is this one in a pass."""
        assert self._code is not None
        told = self._code.load_at, self._place + 4, team[0], 0
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
