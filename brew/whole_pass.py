"""A pass over a whole net as one list of calls: what is decided at every layer is decided once, while nothing changes.

Made from a pass that went step by step (brew.executor), it stands until the stamp of any blob or of the scratch
changes, or until somebody runs a part of the net by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from brew.blob import Latest

if TYPE_CHECKING:
    from brew.fusion import Plan
    from brew.memory_plan import MemoryPlan
    from brew.scratch import Scratch
    from brew.step import Step, What

Call = Callable[[], object]

_NEVER = (-1, -1)


class WholePass:
    """Forward or backward of all steps."""

    def __init__(self, steps: Sequence[Step], plan: Plan, scratch: Scratch, *, backward: bool) -> None:
        self._steps, self._plan, self._scratch, self._backward = steps, plan, scratch, backward
        self._possible = not any(step.asks_for_shapes for step in steps)  # they may change in every pass
        if backward:
            self._possible = self._possible and all(group.step.how.both for group in plan.groups)
        self.calls: list[Call] = []
        self.turns: list[int] = []
        self._made_at = _NEVER

    @property
    def stands(self) -> bool:
        return self._made_at == (Latest.stamp, self._scratch.stamp)

    def forget(self) -> None:
        self._made_at = _NEVER

    def run(self, memory: MemoryPlan) -> None:
        """All calls. If one fails, everything counts as overwritten."""
        try:
            for call in self.calls:
                call()
        finally:
            memory.ran_turns(len(self._steps) if self._backward else 0, self.turns)

    def _order(self, memory: MemoryPlan) -> list[tuple[int, What]]:
        """The steps as their moments follow one another."""
        if not self._backward:
            return [(number, "forward") for number in range(len(self._steps))]
        return [(number, "again" if again else "backward") for number, again in memory.schedule.order]

    def make(self, before: int, memory: MemoryPlan) -> None:
        """From the pass that has just gone step by step, if nothing has changed since the stamp `before`."""
        if not self._possible or before != Latest.stamp:
            return
        calls: list[Call] = []
        turns: list[int] = []
        order = self._order(memory)
        while len(turns) < len(order):
            number, what = order[len(turns)]
            together, count = self._plan.turn(number, what)
            calls += together
            turns += [len(turns) and turns[-1] + 1] * count
        self.calls, self.turns = calls, turns
        self._made_at = (before, self._scratch.stamp)


class RoundTrip:
    """Both passes as one: after a pass the caches hold none of Python, and every line around it takes long."""

    def __init__(self, forward: WholePass, backward: WholePass, scratch: Scratch) -> None:
        self._forward, self._backward, self._scratch = forward, backward, scratch
        self._calls: list[Call] = []
        self._turns: list[int] = []
        self._made_at = _NEVER

    def forget(self) -> None:
        self._made_at = _NEVER

    def run(self, memory: MemoryPlan) -> bool:
        """All calls, forward and backward; False where not both passes stand."""
        if self._made_at != (Latest.stamp, self._scratch.stamp) and not self._make():
            return False
        try:
            for call in self._calls:
                call()
        finally:
            memory.ran_turns(0, self._turns)
        return True

    def _make(self) -> bool:
        forward, backward = self._forward, self._backward
        if not (forward.stands and backward.stands):
            return False
        self._calls = forward.calls + backward.calls
        self._turns = forward.turns + [max(forward.turns, default=-1) + 1 + turn for turn in backward.turns]
        self._made_at = (Latest.stamp, self._scratch.stamp)
        return True
