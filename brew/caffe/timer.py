"""pycaffe's Timer."""

from __future__ import annotations

import time

from brew import cuda
from brew.net import mode


class Timer:
    """Time between `start` and `stop`, or until now; on the GPU, of what it has done by then.

    ms  milliseconds
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._spent = 0.0

    def start(self) -> None:
        """Begin; what was timed before is forgotten."""
        self._began = self._now()

    def stop(self) -> None:
        """End; without a `start` nothing happens."""
        if self._began is not None:
            self._spent, self._began = self._now() - self._began, None

    @property
    def ms(self) -> float:
        return 1e3 * (self._spent if self._began is None else self._now() - self._began)

    @staticmethod
    def _now() -> float:
        if mode.default_device() == "cuda":
            cuda.synchronize()
        return time.perf_counter()
