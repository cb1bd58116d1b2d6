"""When the steps of a net run within one pass: forward, backward, and forward again where that is recomputed.

Moments count from 0: n for the forward of n steps, then one for each entry of `Schedule.order`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from .blob import Memory


@dataclass(frozen=True, slots=True)
class Segment:
    """Steps `first` to `last`; those of `again` run forward once more, in this order, before the backward of all."""

    first: int
    last: int
    again: tuple[int, ...] = ()


class Schedule:
    """The moments of a pass.

    order  what runs after forward, in order: the number of a step, and True where it is its forward once more
    again  by step, the moment of its second forward, where it has one
    back   by step, the moment of its backward
    anew   the memories whose values are lost after the forward of their segment, and recomputed
    """

    def __init__(self, steps: int, segments: Sequence[Segment] = (), anew: Collection[Memory] = ()) -> None:
        self.anew = frozenset(anew)
        self.order: list[tuple[int, bool]] = []
        self._segments: dict[int, Segment] = {}
        for segment in reversed(segments or [Segment(0, steps - 1)]):
            inside = range(segment.first, segment.last + 1)
            self.order += [(number, True) for number in segment.again]
            self.order += [(number, False) for number in reversed(inside)]
            self._segments |= dict.fromkeys(inside, segment)
        self.again = {number: steps + i for i, (number, again) in enumerate(self.order) if again}
        back = {number: steps + i for i, (number, again) in enumerate(self.order) if not again}
        self.back = [back[number] for number in range(steps)]
        self.moments = steps + len(self.order)

    def again_before(self, number: int) -> tuple[int, ...]:
        """The steps whose forward runs once more before the backward of step `number`."""
        return self._segments[number].again
