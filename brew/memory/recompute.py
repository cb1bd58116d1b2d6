"""Which steps of a training net run forward a second time, so that less has to be kept for backward.

The steps are cut into segments where few bytes cross (Chen et al., Training Deep Nets with Sublinear Memory Cost,
2016). After a segment's forward only values stay that cross its border or that the caller reads; before its backward,
the steps whose values backward needs run once more. The last segment keeps its values: its backward comes next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import isqrt

from .blob import Memory
from .pass_schedule import Schedule, Segment
from .plannable import PlannableGroup, PlannableStep
from .uses import Needs, Turn, Use, from_outside, needs, turns


@dataclass(slots=True)
class _Unit:
    """Steps that run together, or one, and the memories that they touch.

    reads, writes  in forward
    held           backward reads it
    saves          bytes that nothing but its forward can leave for its backward
    once           it cannot run a second time
    """

    first: int
    last: int
    reads: set[Memory] = field(default_factory=set)
    writes: set[Memory] = field(default_factory=set)
    held: set[Memory] = field(default_factory=set)
    saves: int = 0
    once: bool = False


def choose(steps: Sequence[PlannableStep], groups: Sequence[PlannableGroup], kept: Collection[Memory]) -> Schedule:
    """The schedule with the lowest peak; the one without recomputation where none is lower.

    `kept` are the memories that the caller reads or writes.
    """
    outside = set(kept) | from_outside(steps)
    plain = Schedule(len(steps))
    cutter = _Cutter(steps, groups, outside)
    found = [plain]
    for parts in range(2, 2 * isqrt(len(cutter.units)) + 1):
        found.append(cutter.schedule(parts))
    return min(found, key=lambda s: _peak(needs(turns(steps, groups, s), s.anew), outside, s.moments))


def _peak(need: Needs, outside: Collection[Memory], moments: int) -> int:
    """The most bytes of an arena that are in use at one moment."""
    changes = [0] * (moments + 1)
    for uses, gradients in ((need.values, False), (need.gradients, True)):
        for use in uses.values():
            if not use.alone(outside, gradients=gradients):
                _add(changes, use.spans(), _bytes(use))
    for piece in need.own.values():
        _add(changes, piece.spans, piece.size * piece.dtype.itemsize)
    return max(accumulate(changes))


def _add(changes: list[int], spans: Sequence[tuple[int, int]], size: int) -> None:
    """Add `size`, in bytes or a count, where each of `spans` begins, and take it away behind its end."""
    for first, last in spans:
        changes[first] += size
        changes[last + 1] -= size


def _bytes(use: Use) -> int:
    return use.size * use.memory.dtype.itemsize


class _Cutter:
    """Cuts the steps of a net into segments of about as many bytes each."""

    def __init__(
        self, steps: Sequence[PlannableStep], groups: Sequence[PlannableGroup], outside: Collection[Memory]
    ) -> None:
        among = turns(steps, groups, Schedule(len(steps)))
        self.steps = len(steps)
        self.values = needs(among).values
        self.units = list(_units(steps, groups, among))
        self.stays = set(outside) | {memory for memory, use in self.values.items() if memory.permanent}
        self._mark_once()
        self.written: dict[Memory, tuple[int, int]] = {}  # by memory, the first and last unit that write it
        self.touched: dict[Memory, int] = {}  # the last one that touches it in forward
        for u, unit in enumerate(self.units):
            for memory in unit.writes:
                self.written[memory] = self.written.get(memory, (u, u))[0], u
            for memory in unit.reads | unit.writes:
                self.touched[memory] = u
        self._weigh()

    def _mark_once(self) -> None:
        """A unit cannot run again if it shares a memory that it writes with a unit that cannot."""
        written, before = set[Memory](), -1
        while before != (before := len(written)):
            for unit in self.units:
                unit.once = unit.once or bool(unit.writes & written)
                written |= unit.writes if unit.once else set()
        self.stays |= written

    def _weigh(self) -> None:
        """Bytes up to the end of each unit; where one may cut behind one; the bytes that would cross there."""
        last = len(self.units) - 1
        made, crossing, inside = [unit.saves for unit in self.units], [0] * (last + 2), [0] * (last + 2)
        for memory, (first, end) in self.written.items():
            size = 0 if memory in self.stays else _bytes(self.values[memory])
            made[first] += size
            _add(crossing, [(first, self.touched[memory] - 1)], size)
            _add(inside, [(first, end - 1)], 1)  # what overwrites it must run with what it overwrites
        self.total = list(accumulate(made))
        self.crossing = list(accumulate(crossing))
        self.may_cut = [not count for count in accumulate(inside)]

    def schedule(self, parts: int) -> Schedule:
        """About so many segments."""
        starts = [0, *(cut + 1 for cut in self._cuts(self.total[-1] // parts))]
        ends = [start - 1 for start in starts[1:]]
        crosses = {m for m in self.touched for end in ends if self._crosses(m, end)}
        segments, anew = [], set[Memory]()
        for start, end in zip(starts, [*ends, len(self.units) - 1], strict=True):
            again = self._again(range(start, end + 1), self.stays | crosses) if end in ends else []
            numbers = [n for u in again for n in range(self.units[u].first, self.units[u].last + 1)]
            anew |= set[Memory]().union(*(self.units[u].writes for u in again)) - self.stays - crosses
            segments.append(Segment(self.units[start].first, self.units[end].last, tuple(numbers)))
        return Schedule(self.steps, segments, anew)

    def _crosses(self, memory: Memory, end: int) -> bool:
        return memory in self.written and self.written[memory][0] <= end < self.touched[memory]

    def _cuts(self, budget: int) -> list[int]:
        """The units behind which to cut: where the fewest bytes cross, for segments of about `budget` bytes."""
        cuts: list[int] = []
        begun, u = 0, 0
        while u < len(self.units) - 1:
            places: list[int] = []
            while u < len(self.units) - 1 and (not places or self.total[u] - begun <= 1.25 * budget):
                if self.may_cut[u] and self.total[u] - begun >= 0.5 * budget:
                    places.append(u)
                u += 1
            if places:
                cuts.append(min(places, key=lambda place: (self.crossing[place], -place)))
                begun, u = self.total[cuts[-1]], cuts[-1] + 1
        return cuts

    def _again(self, inside: range, stays: Collection[Memory]) -> list[int]:
        """Those of the units `inside` a segment that have to run once more where only `stays` outlasts forward."""
        units = self.units
        found = {u for u in inside if units[u].saves and not units[u].once}
        needed = {memory for u in inside for memory in units[u].held if memory not in stays}
        before = -1
        while before != (before := len(found) + len(needed)):
            for u in found:
                needed |= {memory for memory in units[u].reads if memory not in stays}
                needed |= units[u].writes  # by all units that write it: in place, each reads the last one's
            found |= {u for u in inside if units[u].writes & needed and not units[u].once}
        return sorted(found)


def _units(steps: Sequence[PlannableStep], groups: Sequence[PlannableGroup], among: Sequence[Turn]) -> Iterator[_Unit]:
    starts = {group.start: group for group in groups}
    number = 0
    turns_of: dict[int, list[Turn]] = {}
    for turn in among:
        turns_of.setdefault(turn.forward[0], []).append(turn)
    while number < len(steps):
        last = starts[number].last if number in starts else number
        unit = _Unit(number, last, once=any(step.once for step in steps[number : last + 1]))
        for turn in (turn for n in range(number, last + 1) for turn in turns_of[n]):
            _take_up(unit, turn)
        yield unit
        number = last + 1


def _take_up(unit: _Unit, turn: Turn) -> None:
    step, runs = turn.step, turn.backward is not None
    for which, blobs, layouts in (("x", step.bottoms, step.layouts.x), ("y", step.tops, step.layouts.y)):
        for number, (blob, layout) in enumerate(zip(blobs, layouts, strict=True)):
            memory = blob.data_memory
            if which == "x":
                unit.reads.add(memory)
                unit.writes |= {memory} if step.layer.writes_bottoms else set()
            elif step.views[number] is None:
                unit.writes.add(memory)
            if not runs or which not in step.reads:
                continue
            if memory.layout == layout:
                unit.held.add(memory)
            elif not turn.replaced:
                unit.saves += layout.size(blob.shape) * memory.dtype.itemsize
    if runs and not turn.replaced:
        unit.saves += sum(size * dtype.itemsize for _, dtype, size in step.saved_elements())
