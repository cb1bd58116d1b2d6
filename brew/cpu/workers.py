"""A few threads that share one job with the caller's: NumPy works outside the GIL, so that large arrays gain by it.

There is one pool, of cpu.threads' size. It lives as long as nets and updates refer to it, at most as long as the
process. A child made by fork makes its own.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from . import subnormals, threads

# Elements. A piece of weights, gradient, history and scratch stays in the cache; smaller ones spend more on the GIL.
PIECE = 1 << 17
SHARED = 1 << 19  # elements together: below, waking threads costs more than they bring

log = logging.getLogger("brew")

T = TypeVar("T")
_Done: TypeAlias = "SimpleQueue[BaseException | None]"
_Job: TypeAlias = tuple[Context, Callable[[int], None], _Done]


class Workers:
    """`threads - 1` threads beside the caller's."""

    def __init__(self, number: int) -> None:
        self.threads = number
        self._jobs: list[SimpleQueue[_Job | None]] = []
        self._busy = threading.Lock()
        for i in range(1, number):
            jobs: SimpleQueue[_Job | None] = SimpleQueue()
            try:
                threading.Thread(target=_serve, args=(i, jobs), name=f"brew-worker-{i}", daemon=True).start()
            except RuntimeError as error:  # a limit of memory or of threads: fewer do the same work
                log.warning("%d threads instead of %d: %s", i, number, error)
                break
            self._jobs.append(jobs)
        weakref.finalize(self, _end, self._jobs)

    def each(self, task: Callable[[T, int], None], items: Iterable[T]) -> None:
        """`task(item, thread)` for every item, `thread` from 0 to `threads - 1`, in no order; an error is raised here.

        What the caller's context says (np.errstate) holds on every thread. While another caller is served, all is done
        on the caller's own thread, as number 0.
        """
        left = deque(items)

        task = subnormals.inherited(task)

        def take(thread: int) -> None:
            while left:
                try:
                    item = left.popleft()
                except IndexError:  # another thread took the last one
                    return
                try:
                    task(item, thread)
                except BaseException:
                    left.clear()
                    raise

        if len(left) < 2 or not self._jobs or not self._busy.acquire(blocking=False):
            take(0)
            return
        try:
            self._share(take, min(len(self._jobs), len(left) - 1))
        finally:
            self._busy.release()

    def _share(self, take: Callable[[int], None], helpers: int) -> None:
        done: _Done = SimpleQueue()  # its own: after an interrupt its remaining items are not waited for
        for jobs in self._jobs[:helpers]:
            jobs.put((copy_context(), take, done))
        try:
            take(0)
        finally:  # in any case no thread works on the caller's arrays any more
            errors = [done.get() for _ in range(helpers)]
        for error in errors:
            if error is not None:
                raise error


def _serve(number: int, jobs: SimpleQueue[_Job | None]) -> None:
    """A thread's life. It does not hold its `Workers`, so that they can end."""
    while (job := jobs.get()) is not None:
        context, take, done = job
        error: BaseException | None = None
        try:
            context.run(take, number)
        except BaseException as caught:  # goes to the caller
            error = caught
        del job, context, take  # waiting holds nothing of the caller's
        done.put(error)
        del error, done


def _end(jobs: Sequence[SimpleQueue[_Job | None]]) -> None:
    for queue in jobs:
        queue.put(None)


class _Current:
    """The pool of this process, while it is referred to."""

    workers: weakref.ref[Workers] | None = None
    lock = threading.Lock()


def workers() -> Workers:
    """The process's pool, made where there is none of `threads.wanted()` threads. It lives while it is referred to."""
    with _Current.lock:
        found = _Current.workers() if _Current.workers is not None else None
        if found is None or found.threads != threads.wanted():
            found = Workers(threads.wanted())
            _Current.workers = weakref.ref(found)
        return found


def _forget() -> None:
    """In a child made by fork: its pool has no threads, and its lock may be held by one that is not there."""
    _Current.workers, _Current.lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def pieces(start: int, stop: int) -> Iterator[slice]:
    """The stretch in pieces that fit the cache."""
    for begin in range(start, stop, PIECE):
        yield slice(begin, min(begin + PIECE, stop))


class Sweep:
    """Goes over large arrays piece by piece, on all threads where that pays.

    Each thread has scratch of `rows` as long as the longest piece, made when a sweep first needs it.
    """

    def __init__(self, rows: int, longest: int, dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = (rows, longest), dtype
        self._scratch: list[npt.NDArray[Any]] = []
        self._workers: Workers | None = None

    def each(self, task: Callable[[T, npt.NDArray[Any]], None], items: Sequence[T], elements: int) -> None:
        """`task(item, scratch)` for every item, in no order; items are of `elements` elements together.

        What a task writes must be its own: then the number of threads changes no bit.
        """
        if elements < SHARED or threads.wanted() < 2:
            self._reserve(1)
            for item in items:
                task(item, self._scratch[0])
            return
        self._workers = workers()
        self._reserve(self._workers.threads)
        self._workers.each(lambda item, thread: task(item, self._scratch[thread]), items)

    def _reserve(self, number: int) -> None:
        self._scratch += [np.empty(self._shape, self._dtype) for _ in range(number - len(self._scratch))]
