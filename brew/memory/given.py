"""The views of a host memory that callers have been given, and whether anybody holds one still."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.layer import Shape, count

_PATIENCE = 8  # passes without a new view, before it is asked whether anybody holds an old one


class GivenViews:
    """Gives views. All of them have one array as their base, and the references to that tell whether one is held."""

    def __init__(self) -> None:
        self._host: npt.NDArray[Any] | None = None
        self._base: npt.NDArray[Any] | None = None  # all of the host memory, through its buffer
        self._asked, self._passes = False, 0

    def view(self, host: npt.NDArray[Any], shape: Shape) -> npt.NDArray[Any]:
        """The first elements of `host`, which is flat, as `shape`."""
        self._asked, self._passes = True, 0
        if self._host is not host:
            self._host = host
            self._base = np.frombuffer(host.data, host.dtype) if host.size else host
        assert self._base is not None
        size = count(shape)
        return (self._base if self._base.size == size else self._base[:size]).reshape(shape)

    @property
    def _held(self) -> bool:
        return self._base is not None and sys.getrefcount(self._base) > 2  # this object's, and getrefcount's own

    def used(self) -> bool:
        """Whether one was given since this was asked last, or is held: somebody may have written to it."""
        asked, self._asked = self._asked, False
        return asked or self._held

    def idle(self) -> bool:
        """Asked once a pass: whether none was given for some passes, and nobody holds one."""
        self._passes += 1
        return self._passes >= _PATIENCE and not self._held
