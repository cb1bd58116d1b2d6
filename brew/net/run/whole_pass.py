"""A pass over a whole net as one list of calls: while nothing changes, decisions are made once, not at every layer.

Made from a pass that went step by step (brew.net.run.executor), it stands until the stamp of any blob or of the scratch
changes, or until a part of the net is run by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brew.memory.arena import Arena
    from brew.memory.pass_schedule import Schedule

    from .binding import Binding
    from .fusion import FusedGroups
    from .step import Direction, Step

Call = Callable[[], object]

_NEVER = (-1, -1)


class _Calls:
    """Calls for all steps whose moments follow `first` (brew.memory.pass_schedule), and the turns these run in."""

    def __init__(self, binding: Binding, first: int) -> None:
        self._stamps, self._scratch, self._first = binding.stamps, binding.scratch, first
        self.calls: list[Call] = []
        self.turns: list[int] = []
        self._made_at = _NEVER
        self._ran_at = -1  # the arena's tick behind the calls of the last run

    @property
    def stands(self) -> bool:
        return self._made_at == (self._stamps.latest, self._scratch.stamp)

    def forget(self) -> None:
        self._made_at = _NEVER

    def _stand(self, stamp: int, calls: list[Call], turns: list[int]) -> None:
        """Take these calls; they are right while the latest stamp of all blobs is `stamp`."""
        self.calls, self.turns = calls, turns
        self._made_at = (stamp, self._scratch.stamp)
        self._ran_at = -1

    def run(self, arena: Arena) -> None:
        """All calls. If one fails, everything counts as overwritten."""
        try:
            for call in self.calls:
                call()
        except BaseException:
            self._note(arena)
            raise
        if arena.tick != self._ran_at:  # else these calls were the last ones, too, and stand noted
            self._note(arena)

    def _note(self, arena: Arena) -> None:
        arena.ran_turns(self._first, self.turns)
        self._ran_at = arena.tick


class WholePass(_Calls):
    """Forward or backward of all steps."""

    def __init__(self, steps: Sequence[Step], fused: FusedGroups, binding: Binding, *, backward: bool) -> None:
        super().__init__(binding, len(steps) if backward else 0)
        self._steps, self._fused, self._backward = steps, fused, backward
        self._possible = not any(step.asks_for_shapes for step in steps)  # they may change in every pass
        if backward:
            self._possible = self._possible and all(group.step.how.both for group in fused.groups)

    def _order(self, schedule: Schedule) -> list[tuple[int, Direction]]:
        """The steps as their moments follow one another."""
        if not self._backward:
            return [(number, "forward") for number in range(len(self._steps))]
        return [(number, "again" if again else "backward") for number, again in schedule.order]

    def make(self, before: int, schedule: Schedule) -> None:
        """From the pass that has just gone step by step, if nothing has changed since the stamp `before`."""
        if not self._possible or before != self._stamps.latest:
            return
        calls: list[Call] = []
        turns: list[int] = []
        order = self._order(schedule)
        while len(turns) < len(order):
            number, direction = order[len(turns)]
            together, count = self._fused.turn(number, direction)
            calls += together
            turns += [len(turns) and turns[-1] + 1] * count
        self._stand(before, calls, turns)


class RoundTrip(_Calls):
    """Forward and backward as one list of calls.

    That leaves out the Python between the two. There it is slow, because the layers have driven the interpreter out of
    the processor's cache.
    """

    def __init__(self, forward: WholePass, backward: WholePass, binding: Binding) -> None:
        super().__init__(binding, 0)
        self._forward, self._backward = forward, backward

    def join(self) -> bool:
        """Make it of both passes, where they stand; whether they do."""
        forward, backward = self._forward, self._backward
        if not (forward.stands and backward.stands):
            return False
        then = max(forward.turns, default=-1) + 1
        turns = forward.turns + [then + turn for turn in backward.turns]
        self._stand(self._stamps.latest, forward.calls + backward.calls, turns)
        return True


class WholePasses:
    """The passes of one net, each by itself and both as one; none stands before it is made."""

    def __init__(self, steps: Sequence[Step], fused: FusedGroups, binding: Binding) -> None:
        self.forward = WholePass(steps, fused, binding, backward=False)
        self.backward = WholePass(steps, fused, binding, backward=True)
        self.both = RoundTrip(self.forward, self.backward, binding)

    def forget(self) -> None:
        """A part has run by itself."""
        for whole in (self.forward, self.backward, self.both):
            whole.forget()
