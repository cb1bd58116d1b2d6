"""OpenMP's threads on a busy machine: they wait for one another without keeping a processor.

On a free machine a thread that spins until there is work again is the fastest. On a busy one it spins away the time
that the thread it waits for would need: with two threads a pass took ten times as long as with one. GNU's OpenMP spins
a hundredth as long while it counts more threads than processors; so where this process is often interrupted, a few
that only sleep are added, until it is no more.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
import time
from collections.abc import Callable

from . import threads

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

log = logging.getLogger("brew")

_PERIOD = 0.05  # seconds between two looks
_OFTEN, _SELDOM = 60, 20  # interruptions in a second: a machine is busy from the one on, and free again below the other
_CALM = 40  # looks in a row that find it free, before it counts as free again
_MOST = 16  # threads that are added
_SAID = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")  # a user who sets one of these has chosen


class Sleepers:
    """Threads of an OpenMP library that do nothing, but are counted."""

    def __init__(self, library: ctypes.CDLL, number: int) -> None:
        self._end = threading.Event()
        counted = threading.Event()
        run, nothing = library.GOMP_parallel, ctypes.cast(library.omp_get_thread_num, ctypes.c_void_p)
        run.argtypes, run.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None

        def hold() -> None:
            run(nothing, None, number, 0)
            counted.set()
            self._end.wait()  # its team ends with it

        self._thread = threading.Thread(target=hold, name="brew-sleepers", daemon=True)
        self._thread.start()
        counted.wait()

    def end(self) -> None:
        self._end.set()
        self._thread.join()


def interruptions() -> int:
    """How often this process has lost a processor to another so far."""
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw)


class Watch:
    """Looks from time to time how often the process is interrupted, and lets OpenMP's threads spin less or more.

    busy  whether they spin less
    """

    def __init__(
        self, *, count: Callable[[], int] = interruptions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._count, self._clock = count, clock
        self._seen, self._at, self._calm = 0, -1.0, 0
        self._sleepers: Sleepers | None = None

    @property
    def busy(self) -> bool:
        return self._sleepers is not None

    def look(self, library: ctypes.CDLL, number: int) -> None:
        """Called before each pass of a net on `number` threads; it seldom does anything."""
        if number < 2:
            return
        now = self._clock()
        if now - self._at < _PERIOD:
            return
        seen, passed = self._count(), now - self._at
        rate = (seen - self._seen) / passed if self._at >= 0 and passed < 1 else None
        self._seen, self._at = seen, now
        if rate is None:  # the first look, or the first for a while
            return
        self._calm = self._calm + 1 if rate < _SELDOM else 0
        if self._sleepers is None and rate > _OFTEN:
            self._add(library, number)
        elif self._sleepers is not None and self._calm >= _CALM:
            self._sleepers.end()
            self._sleepers = None
            log.debug("threads: the machine is free again")

    def _add(self, library: ctypes.CDLL, number: int) -> None:
        needed = threads.visible_cpus() - number + 2
        if needed > _MOST or not hasattr(library, "GOMP_parallel"):
            return
        self._sleepers = Sleepers(library, max(2, needed))
        log.debug("threads: others use the machine too, they wait without spinning")


_watch: Watch | None = Watch() if resource is not None and not any(name in os.environ for name in _SAID) else None


def look(library: ctypes.CDLL) -> None:
    """Before each pass of a net on the CPU, with oneDNN's `library`."""
    if _watch is not None:
        _watch.look(library, threads.held())


def _forget() -> None:
    """In a child made by fork there are no sleepers."""
    global _watch
    if _watch is not None:
        _watch = Watch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
