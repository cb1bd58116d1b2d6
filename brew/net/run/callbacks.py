"""Functions that are called around a layer while a net runs (pycaffe's before_forward and the like, debug_info)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from brew.memory.host_views import HostViews

Callback: TypeAlias = Callable[[int], object]  # is given the layer's number


class LayerCallbacks:
    """The callbacks around one direction of a net. Without callbacks, layers run together."""

    def __init__(self, together: Callable[[int, int], None], single: Callable[[int], object], views: HostViews) -> None:
        """`together` runs the layers from one to another, `single` runs one by itself.

        `views` brings what callbacks see and change in blobs to where layers work, and back.
        """
        self.before: list[Callback] = []
        self.after: list[Callback] = []
        self._together, self._single, self._views = together, single, views

    @property
    def watched(self) -> bool:
        """Whether there are callbacks."""
        return bool(self.before or self.after)

    def run(self, start: int, end: int, step: int = 1) -> None:
        """Run layers `start` to `end` (inclusive); one by one while there are callbacks."""
        if not self.watched:
            self._together(start, end)
            return
        for number in range(start, end + step, step):
            self._watched(number)

    def _watched(self, number: int) -> None:
        self._call(self.before, number)
        self._single(number)
        self._call(self.after, number)

    def _call(self, callbacks: list[Callback], number: int) -> None:
        if not callbacks:
            return
        self._views.download()
        for callback in tuple(callbacks):
            callback(number)
        self._views.upload()
