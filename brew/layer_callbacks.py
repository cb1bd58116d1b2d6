"""Functions that are called around a layer while a net runs (pycaffe's before_forward and the like, debug_info)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from brew.blob import HostViews

Callback: TypeAlias = Callable[[int], object]  # is given the layer's number


class LayerCallbacks:
    """The callbacks around one direction of a net. While there are none, layers run as though this did not exist."""

    def __init__(self, run: Callable[[int], None], views: HostViews) -> None:
        """`run` runs a layer; what callbacks see and change in blobs is in step with the device through `views`."""
        self.before: list[Callback] = []
        self.after: list[Callback] = []
        self._run, self._views = run, views

    def runner(self) -> Callable[[int], None]:
        """What runs a layer, for the length of one pass."""
        return self._watched if self.before or self.after else self._run

    def _watched(self, number: int) -> None:
        self._call(self.before, number)
        self._run(number)
        self._call(self.after, number)

    def _call(self, callbacks: list[Callback], number: int) -> None:
        if not callbacks:
            return
        self._views.download()
        for callback in tuple(callbacks):
            callback(number)
        self._views.upload()
