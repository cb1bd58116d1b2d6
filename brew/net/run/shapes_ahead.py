"""The shapes of a net's sources, carried through its steps before they run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from brew.errors import InputError, blamed
from brew.layer import Unsupported
from brew.memory.blob import Blob
from brew.memory.scratch import Scratch

from .step import Step

if TYPE_CHECKING:
    from .fusion import Group


class ShapesAhead:
    """The shapes that the steps of a net are prepared for.

    Caffe shapes a layer just before it runs, so a pass that ends early asks nothing of the layers above. Here all
    steps are shaped where they can be; a step that cannot is an error only in a pass that reaches it.
    """

    def __init__(self, steps: Sequence[Step], sources: Sequence[Blob], scratch: Scratch) -> None:
        """`sources` are the blobs that steps without bottoms make."""
        self._steps, self.sources, self._scratch = steps, sources, scratch
        self._stamps = self._now()
        self._stuck = len(steps)  # the first step that cannot follow

    def reach(self, end: int) -> bool:
        """Whether the shapes carried last were carried through step `end`."""
        return end < self._stuck

    def carry(self, end: int, groups: Iterable[Group]) -> bool:
        """Reshape the steps and `groups` to the sources' shapes; returns whether any had changed.

        Raises what a step up to `end` raises on shapes that it cannot take; not where they may still change, in a
        forward that gives a top its shape (Filter, Python).
        """
        if self._now() == self._stamps and self.reach(end):
            return False
        self._stamps, self._stuck = self._now(), len(self._steps)
        open_ended: set[Blob] = set()
        for last, step in (*enumerate(self._steps), *((group.last, group.step) for group in groups)):
            follows = not open_ended.isdisjoint(step.bottoms)
            if follows or step.asks_for_shapes:
                open_ended.update(step.tops)
            try:
                step.reshape()
            except Exception as error:
                if follows and isinstance(error, InputError):
                    continue  # the pass itself will see
                self._stuck = min(self._stuck, last)
                if last <= end or not (isinstance(error, InputError) or blamed(error)):
                    raise
                continue
            if step.current_shapes() != step.shapes:
                with suppress(Unsupported):  # a group's, in these shapes: its members run by themselves
                    step.prepare(self._scratch)
        return True

    def _now(self) -> list[int]:
        return [blob.stamp for blob in self.sources]
