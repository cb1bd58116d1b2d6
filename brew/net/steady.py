"""A forward pass of a whole net to which nothing has happened since the last one: a few questions, and its calls.

In a small net of one item, what a pass asks before and after its layers would be a sixth of its time.
"""

from __future__ import annotations

import numpy as np

from brew.cpu.subnormals import flushed
from brew.memory.host_views import HostViews

from .parameters import Parameters
from .run.callbacks import LayerCallbacks
from .run.executor import Executor


class SteadyPass:
    """Such passes of one net: nobody watches its layers, no host view has to be kept up to date, no records are read,
    and nobody has had a view of a parameter. A net that is `trained` has none, for its parameters change."""

    def __init__(
        self, executor: Executor, around: LayerCallbacks, views: HostViews, parameters: Parameters, *, trained: bool
    ) -> None:
        self._executor, self._around, self._views, self._parameters = executor, around, views, parameters
        self._never = trained or executor.reads_data
        self._stamps, self._whole = executor.binding.stamps, executor.whole.forward
        self._run = np.errstate(all="ignore")(self._whole.run)  # as decorator it takes half of a context's time
        self._at = -1  # the latest stamp of all blobs, while passes are steady

    def run(self) -> bool:
        """Run the whole net forward, if that is all there is to do; whether it was."""
        if self._at != self._stamps.latest or not self._whole.stands or self._around.watched:
            return False
        self._executor.begin_again()
        with flushed():
            self._run(self._executor.memory.arena)
        return True

    def note(self) -> None:
        """A forward pass has ended: whether the next one may be steady."""
        other = self._never or not self._whole.stands or self._views.any or self._parameters.exposed
        self._at = -1 if other else self._stamps.latest
