"""The passes of a net: its steps in their order, together where they can be, and the memory they share."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import suppress

from brew.cpu import busy, threads
from brew.errors import UsageError
from brew.layer import Arrays, ChangeCount, Unsupported
from brew.memory.plan import MemoryPlan

from .binding import Binding, read_next_shapes
from .fusion import FusedGroups
from .memory_planner import MemoryPlanner
from .shapes_ahead import ShapesAhead
from .step import Step
from .whole_pass import WholePasses


class Executor:
    """The steps of a net and the memory they share."""

    def __init__(
        self, steps: Sequence[Step], fused: FusedGroups, binding: Binding, planner: MemoryPlanner, memory: MemoryPlan,
        shapes: ShapesAhead, whole: WholePasses, *, forward_only: bool, openmp: ctypes.CDLL | None,
    ) -> None:  # fmt: skip
        """All of one net, made by `assemble` (.assembly). `memory` is what `planner` has planned first; `openmp` is
        the library whose threads compute, if one does."""
        self.steps, self.fused, self.binding, self.whole = steps, fused, binding, whole
        self.memory, self._planner = memory, planner
        self._shapes, self.sources = shapes, shapes.sources
        self.passes = binding.passes
        self._forward_only, self._openmp = forward_only, openmp
        self._reading = [step for step in steps if step.reads_data]
        self._planned_at = -1  # the latest stamp then
        self._lent = False

    @property
    def kept_bytes(self) -> int:
        """Bytes of the buffers that layers keep from call to call."""
        grouped = {n for group in self.fused.groups for n in range(group.first, group.last + 1)}
        alone = sum(step.kept_bytes for n, step in enumerate(self.steps) if n not in grouped)
        return alone + sum(group.step.kept_bytes for group in self.fused.groups)

    def begin_at(self, number: int, end: int) -> None:
        """Forward goes from this step to `end`. From 0 it is one more pass, on the device too; else it goes on.

        UsageError where that needs values that have been overwritten since.
        """
        self._tell_threads()  # first: what is prepared for new shapes is prepared for this thread's team
        if not number:
            self.plan_shapes(end)
            self.passes.next()
            return
        written = {t.name: s.bottoms[0].name for s in self.steps if s.layer.is_split for t in s.tops}
        for blob in self.memory.gone(number):
            name = written.get(blob.name, blob.name)
            raise UsageError(
                f'forward from a layer in the middle needs "{name}", whose memory others have used',
                hint="name it in keep=[...], or make the net without",
            )

    def begin_again(self) -> None:
        """One more pass, of shapes that the memory is planned for."""
        self._tell_threads()
        self.passes.next()

    def _tell_threads(self) -> None:
        if self._openmp is not None:
            threads.openmp_threads(self._openmp)
            busy.look(self._openmp)

    @property
    def reads_data(self) -> bool:
        """Whether a step reads records, whose shapes are asked for before every pass."""
        return bool(self._reading)

    def plan_shapes(self, end: int | None = None) -> None:
        """Carry the shapes of what comes next through the net, and plan the memory anew where it has become too small.

        What the net computed before is lost then. Of steps behind `end`, those that cannot follow stay as they are.
        """
        end = len(self.steps) - 1 if end is None else end
        for step in self._reading:
            read_next_shapes(step)
        stamps = self.binding.stamps
        if self._planned_at == stamps.latest and self._lent and not self.memory.arena.stale and self._shapes.reach(end):
            return
        if self._shapes.carry(end, self.fused.groups) and not self._lent:
            self.memory.arena.stale = True
        if self.memory.arena.stale:
            self.memory, self._lent = self._planner.plan(), False
        if not self._lent:
            self._lent = True
            self.memory.lend()
            self.binding.scratch.stamp += 1
        self._planned_at = stamps.latest

    def prepare_again(self) -> None:
        """Implementations would now decide otherwise than they have (brew.layer.choices): let them."""
        for step in (*self.steps, *(group.step for group in self.fused.groups)):
            with suppress(Unsupported):  # a group's, in these shapes
                step.prepare(self.binding.scratch)
            step.unbind()
        self.memory.arena.stale = True

    def bind_again(self, changes: ChangeCount) -> None:
        """Parameters lie elsewhere from now on, and `changes` counts theirs."""
        self.binding.changes = changes
        for step in (*self.steps, *(group.step for group in self.fused.groups)):
            step.unbind()
        self.whole.forget()

    def refresh(self, number: int) -> Arrays:
        """The bound arrays of a step, made anew where shapes or memory have changed."""
        self._ready()
        return self.binding.arrays(self.steps[number])

    def _ready(self) -> None:
        """Before the first step runs, memory has to be there."""
        if not self._lent:
            self.plan_shapes()

    def reshape(self) -> None:
        """Carry shapes through the whole net, without computing."""
        self.plan_shapes()
        for step in self.steps:
            self.binding.arrays(step)

    def forward_through(self, start: int, end: int) -> None:
        """Steps `start` to `end`, together where they can be."""
        whole = start == 0 and end == len(self.steps) - 1
        if whole and self.whole.forward.stands:
            self.whole.forward.run(self.memory.arena)
            return
        self._ready()
        before, number = self.binding.stamps.latest, start
        while number <= end:
            together = self.fused.forward(number, end)
            if together:
                self.memory.arena.ran(number, together)
                number += together
            else:
                self.forward(number)
                number += 1
        self.whole.forget()
        if whole:
            self.whole.forward.make(before, self.memory.schedule)

    def backward_through(self, start: int, end: int) -> None:
        """Steps `start` down to `end`, backward."""
        whole = end == 0 and start == len(self.steps) - 1
        self._check_backward(start)
        if whole and self.whole.forward.stands and self.whole.backward.stands:
            self.whole.backward.run(self.memory.arena)
            return
        self._ready()
        before, number = self.binding.stamps.latest, start
        while number >= end:
            self._check_backward(number)
            self._run_again(number)
            together = self.fused.backward(number, end)
            if together:
                self.memory.arena.ran(self._moment(number), together)
                number -= together
            else:
                self._backward(number)
                number -= 1
        if not whole:
            self.whole.forget()
        elif self.whole.forward.stands:  # else its groups may not have run as such
            self.whole.backward.make(before, self.memory.schedule)

    def forward_backward(self) -> None:
        """All steps forward, then all of them backward."""
        if self.whole.both.stands or self.whole.both.join():
            self.whole.both.run(self.memory.arena)
            return
        last = len(self.steps) - 1
        self.forward_through(0, last)
        self.backward_through(last, 0)

    def _moment(self, number: int) -> int:
        """When the backward of a step runs, as the memory plan counts."""
        return self.memory.schedule.back[number]

    def _check_backward(self, number: int) -> None:
        if self._forward_only:
            raise UsageError("the net was made with forward_only: it has no gradients")
        if self._planner.reuse and self.memory.arena.has_run(self._moment(number)):
            raise UsageError(
                "backward runs once after each forward where not every blob is kept: it overwrites what it has read",
                hint="make the net without keep=[...]",
            )

    def forward(self, number: int) -> None:
        """Run step `number` alone."""
        self.whole.forget()
        self.fused.part(number)
        step = self.steps[number]
        self.refresh(number)
        if step.asks_for_shapes:
            for blob, shape in zip(step.tops, step.top_shapes(), strict=True):
                blob.reshape(*shape)
            self.refresh(number)
        step.forward()
        self.memory.arena.ran(number)

    def backward(self, number: int) -> None:
        """Run the backward of step `number` alone."""
        self.whole.forget()
        self._ready()
        self._run_again(number)
        self._backward(number)

    def _run_again(self, number: int) -> None:
        """Make anew what the backward of the segment around step `number` needs, if that has not been done."""
        steps = self.memory.schedule.again_before(number)
        if not steps or self.memory.arena.has_run(self.memory.schedule.again[steps[0]]):
            return
        done = 0
        while done < len(steps):
            together = self.fused.again(steps[done])
            self.memory.arena.ran(self.memory.schedule.again[steps[done]], together)
            done += together

    def _backward(self, number: int) -> None:
        self.fused.part(number, backward=True)
        step = self.steps[number]
        if step.runs_backward:
            self.refresh(number)
            step.backward()
        self.memory.arena.ran(self._moment(number))
