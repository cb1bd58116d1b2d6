"""OpenMP's threads on a busy machine: they wait for one another without keeping a processor.

On a free machine a thread that spins until there is work again is the fastest. On a busy one it spins away the time
that the thread it waits for would need: with two threads a pass took ten times as long as with one. GNU's OpenMP spins
a hundredth as long while it counts more threads than processors; so where a thread that runs a net has to wait for a
processor, a few threads that only sleep are added, until it no longer has to.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from . import threads

log = logging.getLogger("brew")

_PERIOD, _LONG = 0.05, 10  # seconds between two looks: at least, and at most for the time between them to say something
_BUSY, _FREE = 0.15, 0.05  # of the time is spent waiting: a machine is busy above the one, and free below the other
_CALM = 10  # looks in a row that find it free, before it counts as free again
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


_WAITED = Path("/proc/thread-self/schedstat")  # Linux: nanoseconds on a processor, nanoseconds waiting for one, turns


def waited() -> float:
    """For how many seconds this thread could have run and had no processor, so far."""
    return int(_WAITED.read_text().split()[1]) * 1e-9


class _Look(threading.local):
    """What a thread saw at its last look, and when."""

    waited, at = 0.0, -1.0


class Watch:
    """Looks from time to time how long a thread waits for a processor, and lets OpenMP's threads spin less or more.

    busy  whether they spin less
    """

    def __init__(self, *, waited: Callable[[], float] = waited, clock: Callable[[], float] = time.monotonic) -> None:
        self._waited, self._clock = waited, clock
        self._last, self._calm = _Look(), 0
        self._sleepers: Sleepers | None = None

    @property
    def busy(self) -> bool:
        return self._sleepers is not None

    def look(self, library: ctypes.CDLL, number: int) -> None:
        """Called before each pass of a net on `number` threads; it seldom does anything."""
        if number < 2:
            return
        last, now = self._last, self._clock()
        if now - last.at < _PERIOD:
            return
        waited, passed = self._waited(), now - last.at
        share = (waited - last.waited) / passed if last.at >= 0 and passed < _LONG else None
        last.waited, last.at = waited, now
        if share is None:  # the first look, or the first for a while
            return
        self._calm = self._calm + 1 if share < _FREE else 0
        if self._sleepers is None and share > _BUSY:
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


def _make() -> Watch | None:
    """None where the user has chosen, or the system does not tell how long a thread waits."""
    return Watch() if _WAITED.exists() and not any(name in os.environ for name in _SAID) else None


_watch = _make()


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
