"""Nets that share their weights, one for each caller that computes at the same time."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from brew.errors import UsageError
from brew.layer import Shape
from brew.net.net import Net


class Pool:
    """Lends nets made by `make`, at most `most` of them; further callers wait until one comes back.

    `make` is called by one thread at a time. A caller gets a net that last ran with its shapes, where one is free: it
    needs no new plan. Whoever holds a net must not ask for another one.
    """

    def __init__(self, make: Callable[[], Net], most: int) -> None:
        self.most = most
        self._make = make
        self._process = 0
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._making = threading.Lock()
        self._free: list[tuple[Shape, Net]] = []
        self._count = 0
        self._closed = False

    def __len__(self) -> int:
        """Nets made so far."""
        return self._count

    @contextmanager
    def net(self, shape: Shape) -> Iterator[Net]:
        """A net for the caller alone; `shape` is what its input will have. UsageError after `close`."""
        net = self._take(shape)
        try:
            yield net
        finally:
            with self._changed:
                if self._closed:
                    self._count -= 1
                    net.close()
                else:
                    self._free.append((shape, net))
                self._changed.notify()

    def _take(self, shape: Shape) -> Net:
        if self._process != os.getpid():  # a child made by fork: locks may be held by threads that are not there
            self._begin()
        with self._changed:
            while not self._free and self._count >= self.most and not self._closed:
                self._changed.wait()
            if self._closed:
                raise UsageError("the model is closed")
            if self._free:
                fitting = (i for i, (last, _) in enumerate(self._free) if last == shape)
                return self._free.pop(next(fitting, len(self._free) - 1))[1]
            self._count += 1
        try:
            with self._making:
                return self._make()
        except BaseException:
            with self._changed:
                self._count -= 1
                self._changed.notify()
            raise

    def close(self) -> None:
        """Let go of all nets; those in use go when they come back."""
        with self._changed:
            self._closed = True
            self._count -= len(self._free)
            for _, net in self._free:
                net.close()
            self._free.clear()
            self._changed.notify_all()
