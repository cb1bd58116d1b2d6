"""Batches made ahead by a thread, in buffers that are allocated once."""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from brew.cpu.pixels.held import HeldWindows, Layout
from brew.errors import ResourceError
from brew.layer import Shape, count

Top: TypeAlias = npt.NDArray[Any] | HeldWindows
Finish: TypeAlias = Callable[[], None]

_PATIENCE = 1.0  # seconds that the collector waits for a thread to end
_running: dict[threading.Thread, tuple[queue.SimpleQueue[Batch | None], threading.Event]] = {}  # to be stopped at exit


class Batch:
    """The buffers of one batch, one array per top. `take` gives them shapes; memory grows and never shrinks.

    Images of bytes can stay bytes: `held` takes the first array's place then. `passed` records were read and left out
    when the batch was filled; `name(i)` is its record number i in words.
    """

    def __init__(self, dtype: npt.DTypeLike, tops: int, held: HeldWindows | None = None) -> None:
        self.count = tops
        self._storage = [np.empty(0, dtype) for _ in range(tops)]
        self._held = held
        self.tops: list[Top] = []
        self.passed = 0
        self.name: Callable[[int], str] = str

    def take(self, shapes: list[Shape]) -> list[npt.NDArray[Any]]:
        """The tops' arrays for batches of these shapes; their content is not defined."""
        arrays = [self._array(i, shape) for i, shape in enumerate(shapes)]
        self.tops = [*arrays]
        return arrays

    def hold(self, shapes: list[Shape], layout: Layout | None) -> tuple[Top, list[npt.NDArray[Any]]]:
        """The same as (images, the other tops' arrays).

        Images are held as bytes in this layout; without one, or where the batch holds no bytes, they are an array.
        """
        if layout is None or self._held is None:
            images, *arrays = self.take(shapes)
            return images, arrays
        self._held.take(shapes[0], layout)
        arrays = [self._array(i, shape) for i, shape in enumerate(shapes) if i]
        self.tops = [self._held, *arrays]
        return self._held, arrays

    def _array(self, number: int, shape: Shape) -> npt.NDArray[Any]:
        size = count(shape)
        if self._storage[number].size < size:
            self._storage[number] = np.empty(size, self._storage[number].dtype)
        return self._storage[number][:size].reshape(shape)


def buffers(ahead: int) -> int:
    """The batches that a prefetcher holds: those ahead, or the one that is made, and the consumer's."""
    return max(ahead, 1) + 1


class Prefetcher:
    """Keeps up to `ahead` batches ready; with `ahead` 0 each is made when it is asked for, in the caller's thread.

    `begin(batch)` begins to fill the next batch, with threads of its own where it has any, and the call that it returns
    takes part in that up to the end. It must not refer to the object that owns the prefetcher, or that could never be
    collected. An error in either is raised by the call that would have got the batch, and by every later one.

    `waited` counts the seconds that calls waited for batches, but for the first one, before which the source opens.
    """

    def __init__(self, begin: Callable[[Batch], Finish], make: Callable[[], Batch], ahead: int, name: str) -> None:
        self._begin = begin
        self._ahead = ahead
        self._name = name
        self.waited = 0.0
        self._had_one = False
        self._free: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[Batch | BaseException] = queue.SimpleQueue()
        for _ in range(buffers(ahead)):
            self._free.put(make())
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._stop: weakref.finalize[..., Prefetcher] | None = None
        self._next: Batch | BaseException | None = None
        self._taken: Batch | None = None

    def peek(self) -> Batch:
        """The coming batch, waiting for it; `next` will return the same. The one returned last stays valid."""
        if self._next is None:
            self._next = self._get()
        if isinstance(self._next, BaseException):
            raise self._next
        return self._next

    def next(self) -> Batch:
        """The coming batch, the caller's until the next call."""
        batch = self.peek()
        self._next = None
        if self._taken is not None:
            self._free.put(self._taken)
        self._taken = batch
        return batch

    @property
    def taken(self) -> Batch | None:
        """The batch that `next` returned last."""
        return self._taken

    def close(self) -> None:
        """Stop the thread and wait for it; no batch can be had after it."""
        if self._stop is not None and self._thread is not None:
            self._stop.detach()
            self._stop = None
            _stop(self._thread, self._free, self._stopped, None)

    def abandon(self) -> None:
        """Forget the thread, in a child process: it is the parent's."""
        if self._stop is not None:
            self._stop.detach()
        self._stop = None

    def _get(self) -> Batch | BaseException:
        is_there, began = not self._ready.empty(), time.perf_counter()
        came = self._made()
        if self._had_one and not is_there:
            self.waited += time.perf_counter() - began
        self._had_one = True
        return came

    def _made(self) -> Batch | BaseException:
        """The next batch, made here or by the thread."""
        if self._ahead == 0:
            batch = self._free.get()
            assert batch is not None  # only `_stop` puts None, and there is no thread to stop
            try:
                self._begin(batch)()
            except Exception as error:
                return error
            return batch
        if self._thread is None:
            # Daemonic, so that a program that forgets to close can end; stopped and joined before the interpreter
            # shuts down, so that it never runs in a half-destroyed one. The collector waits for a moment alone: it may
            # run on a thread that has the lock for which this one waits.
            work = (self._begin, self._free, self._ready, self._stopped)
            self._thread = threading.Thread(target=_work, args=work, name=self._name, daemon=True)
            _running[self._thread] = self._free, self._stopped
            try:
                self._thread.start()
            except RuntimeError as error:
                del _running[self._thread]
                self._thread = None
                raise ResourceError(
                    f"no thread can be started to read ahead: {error}",
                    hint="prefetch: 0 reads without one; ulimit -a and the cgroup show limits of memory and threads",
                ) from None
            self._stop = weakref.finalize(self, _stop, self._thread, self._free, self._stopped, _PATIENCE)
            self._stop.atexit = False
        return self._ready.get()


def _work(
    begin: Callable[[Batch], Finish],
    free: queue.SimpleQueue[Batch | None],
    ready: queue.SimpleQueue[Batch | BaseException],
    stopped: threading.Event,
) -> None:
    """The thread: fill free batches until told to stop or until an error.

    The next batch is begun before one is handed over: whoever waits for that one takes this thread's processor.
    """
    filled: Batch | None = None
    try:
        while not stopped.is_set():
            batch = _free_one(free, wait=filled is None)
            try:
                finish = begin(batch) if batch is not None else None
            finally:
                if filled is not None:
                    ready.put(filled)
                    filled = None
            if finish is not None:
                finish()
                filled = batch
    except BaseException as error:
        ready.put(error)
    finally:
        _running.pop(threading.current_thread(), None)


def _free_one(free: queue.SimpleQueue[Batch | None], *, wait: bool) -> Batch | None:
    try:
        return free.get(block=wait)
    except queue.Empty:
        return None


def _stop(
    thread: threading.Thread, free: queue.SimpleQueue[Batch | None], stopped: threading.Event, patience: float | None
) -> None:
    """Tell the thread to end, and wait for it so many seconds, or as long as it takes."""
    stopped.set()
    free.put(None)
    if thread is not threading.current_thread():  # the collector may run anywhere
        thread.join(patience)


def _end_all() -> None:
    for thread, work in list(_running.items()):
        _stop(thread, *work, None)


atexit.register(_end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # the threads are the parent's
