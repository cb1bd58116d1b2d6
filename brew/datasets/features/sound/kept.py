"""Recordings that stay decoded while windows are cut from them, as many as fit."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from .wav import Samples


class Kept:
    """Samples by the name of their file, up to `most` bytes, and at least one; those used last stay. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._samples: OrderedDict[str, Samples] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> Samples | None:
        """The samples of a file; None where they are not kept."""
        with self._lock:
            if name in self._samples:
                self._samples.move_to_end(name)
            return self._samples.get(name)

    def put(self, name: str, samples: Samples) -> None:
        """Keep samples; others go where they do not fit any more."""
        with self._lock:
            if name in self._samples:
                return
            self._samples[name] = samples
            self._size += samples.nbytes
            while self._size > self._most and len(self._samples) > 1:
                _, gone = self._samples.popitem(last=False)
                self._size -= gone.nbytes

    def __getstate__(self) -> dict[str, Any]:
        return {"most": self._most}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["most"])  # type: ignore[misc]
