"""Decoded images in memory, so that later epochs need not decode them again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

log = logging.getLogger("brew")

T = TypeVar("T")
_MIB = 1 << 20
MOST_CACHED = 2048  # MiB that a remedy may propose


class ImageCache:
    """Images of layer `name` by their keys, of `mib` MiB together at most; what comes when it is full is not kept.

    Which images are kept changes no number. Any thread may ask.
    """

    def __init__(self, mib: int, name: str) -> None:
        self._left = self._most = mib * _MIB
        self._name = name
        self._images: dict[Hashable, Any] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, decode: Callable[[], T], pixels: Callable[[T], npt.NDArray[np.generic]]) -> T:
        """What `decode` gave for this key, now or before; `pixels` of it says how much memory it takes."""
        if not self._most:
            return decode()
        found: T | None = self._images.get(key)
        if found is not None:
            return found
        made = decode()
        size = pixels(made).nbytes
        with self._lock:
            if self._left >= size and key not in self._images:
                self._images[key] = made
                self._left -= size
            elif 0 < self._left < size:
                self._left = 0
                log.info('layer "%s": cache_mib: %d are full with %d images; the others are decoded in every epoch',
                         self._name, self._most // _MIB, len(self._images))  # fmt: skip
        return made
