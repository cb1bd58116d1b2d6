"""Running a graph on one device: blobs, prepared implementations, bound arrays, and re-binding when shapes change.

A step is bound when its arrays stand ready in an `Arrays`. It stays bound until the stamp of one of its blobs
changes; checking that before each layer is all that a pass costs beside the arithmetic (DECISIONS 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from brew import cuda
from brew.cpu import busy, threads
from brew.cpu.onednn import library
from brew.errors import UsageError
from brew.graph.graph import Graph
from brew.layer import Arrays, Unsupported, Version
from brew.layer.data_layer import DataLayer
from brew.memory import recompute
from brew.memory.blob import Blob
from brew.memory.pass_schedule import Schedule
from brew.memory.plan import MemoryPlan
from brew.memory.scratch import Scratch
from brew.memory.stamps import Stamps

from .blobs import seen_in_another_shape
from .fusion import Plan
from .options import RunOptions
from .pass_counter import PassCounter
from .shapes_ahead import ShapesAhead
from .step import Step
from .whole_pass import RoundTrip, WholePass


class Executor:
    """The steps of a net and the memory they share."""

    def __init__(
        self, graph: Graph, blobs: Sequence[Blob], slots: Sequence[Blob], version: Version, stamps: Stamps,
        options: RunOptions,
    ) -> None:  # fmt: skip
        """`blobs` are the graph's, `slots` its parameters, whose `version` grows with every change of them; `stamps`
        are those of both.
        """
        device, engine = options.device, options.engine
        self.options, self.device = options, device
        self._openmp = library() if device == "cpu" and engine == "onednn" else None
        threads.hold_blas()
        self.scratch = Scratch(device)
        self.version, self.stamps = version, stamps
        self.steps = [
            Step(node, blobs, slots, node.wanted(graph.params), stamps, device, engine) for node in graph.nodes
        ]
        self.passes = PassCounter(device)
        plain = {memory for step in self.steps for memory in seen_in_another_shape(step)}
        for step in self.steps:
            step.prepare(self.scratch)
            step.settle_tops(plain)
        floats = all(step.layer.context.dtype == np.float32 for step in self.steps)
        together = options.fuse and device == "cpu" and engine == "onednn" and floats
        self.plan = Plan(self.steps, self.scratch, self._refresh, options.keeps, fuse=together)
        self._whole_forward, self._whole_backward = (
            WholePass(self.steps, self.plan, stamps, self.scratch, backward=backward) for backward in (False, True)
        )
        self._round_trip = RoundTrip(self._whole_forward, self._whole_backward, stamps, self.scratch)
        readable = [options.keeps(blob.name) for blob in blobs]
        losses = {t for n in graph.nodes for t, weight in zip(n.tops, n.loss_weights, strict=True) if weight}
        self._kept = [blob for b, blob in enumerate(blobs) if readable[b] or b in losses]
        self._reuse = not all(readable)
        self._forward_only = graph.forward_only
        self._again = options.recompute and self._reuse and not graph.forward_only
        self.sources = [blob.shown or blob for step in self.steps if not step.bottoms for blob in step.tops]
        self._reading = [step for step in self.steps if step.reads_data]
        self._shapes = ShapesAhead(self.steps, self.sources, self.scratch)
        self._settled_at = -1  # the latest stamp then
        self._lent = False
        self.memory = self._plan_memory()

    def _plan_memory(self) -> MemoryPlan:
        kept = {memory for blob in self._kept for memory in (blob.data_memory, blob.diff_memory)}
        groups = self.plan.groups
        schedule = recompute.choose(self.steps, groups, kept) if self._again else Schedule(len(self.steps))
        return MemoryPlan(self.steps, groups, kept, self.device, schedule, reuse=self._reuse)

    @property
    def kept_bytes(self) -> int:
        """Bytes of the buffers that layers keep from call to call."""
        grouped = {n for group in self.plan.groups for n in range(group.first, group.last + 1)}
        alone = sum(step.kept_bytes for n, step in enumerate(self.steps) if n not in grouped)
        return alone + sum(group.step.kept_bytes for group in self.plan.groups)

    def begin_at(self, number: int, end: int) -> None:
        """Forward goes from this step to `end`. From 0 it is one more pass, on the device too; else it goes on.

        UsageError where that needs values whose memory others have used since.
        """
        if self._openmp is not None:
            threads.openmp_threads(self._openmp)
            busy.look(self._openmp)
        if number:
            written = {t.name: s.bottoms[0].name for s in self.steps if s.layer.type == "Split" for t in s.tops}
            for blob in self.memory.gone(number):
                name = written.get(blob.name, blob.name)
                raise UsageError(
                    f'forward from a layer in the middle needs "{name}", whose memory others have used',
                    hint="name it in keep=[...], or make the net without",
                )
            return
        self.settle(end)
        self.passes.next()

    def settle(self, end: int | None = None) -> None:
        """Carry the shapes of what comes next through the net, and plan the memory anew where it has become too small.

        What the net computed before is lost then. Of steps behind `end`, those that cannot follow stay as they are.
        """
        end = len(self.steps) - 1 if end is None else end
        for step in self._reading:
            self._read_next_shapes(step)
        if (
            self._settled_at == self.stamps.latest
            and self._lent
            and not self.memory.arena.stale
            and self._shapes.reach(end)
        ):
            return
        if self._shapes.carry(end, self.plan.groups) and not self._lent:
            self.memory.arena.stale = True
        if self.memory.arena.stale:
            self.memory, self._lent = self._plan_memory(), False
        if not self._lent:
            self._lent = True
            self.memory.lend()
            self.scratch.stamp += 1
        self._settled_at = self.stamps.latest

    def prepare_again(self) -> None:
        """Implementations would now decide otherwise than they have (brew.layer.choices): let them."""
        for step in (*self.steps, *(group.step for group in self.plan.groups)):
            with suppress(Unsupported):  # a group's, in these shapes
                step.prepare(self.scratch)
            step.unbind()
        self.memory.arena.stale = True

    @staticmethod
    def _read_next_shapes(step: Step) -> None:
        assert isinstance(step.layer, DataLayer)
        for blob, shape in zip(step.tops, step.layer.next_shapes(), strict=True):
            if blob.shape != shape:
                blob.reshape(*shape)

    def refresh(self, number: int) -> Arrays:
        """The bound arrays of a step, made anew where shapes or memory have changed."""
        return self._refresh(self.steps[number])

    def _refresh(self, step: Step) -> Arrays:
        if not self._lent:
            self.settle()
        if step.reads_data:
            self._read_next_shapes(step)
        latest = self.stamps.latest
        if step.io is not None and step.seen == latest and step.key[0] == self.scratch.stamp:
            return step.io  # nothing has changed anywhere
        if step.io is None or step.current_key(self.scratch) != step.key:
            step.reshape()
            if step.current_shapes() != step.shapes:
                step.prepare(self.scratch)
            step.bind(self.scratch, self.passes.array, self.version)
            self._weigh(step)
        step.seen = latest  # as of before: what binding has changed counts
        assert step.io is not None
        return step.io

    def reshape(self) -> None:
        """Carry shapes through the whole net, without computing."""
        self.settle()
        for step in self.steps:
            self._refresh(step)

    def _weigh(self, step: Step) -> None:
        """A loss's gradient is its weight; it stays until somebody writes another."""
        if not step.wanted.backward:
            return
        assert step.io is not None
        for weight, dy in zip(step.node.loss_weights, step.io.dy, strict=True):
            if weight and self.device == "cpu":
                dy.fill(weight)
            elif weight:
                cuda.upload(dy, np.full(dy.shape, weight, dy.dtype))

    def forward_through(self, start: int, end: int) -> None:
        """Steps `start` to `end`, together where they can be."""
        whole = start == 0 and end == len(self.steps) - 1
        if whole and self._whole_forward.stands:
            self._whole_forward.run(self.memory.arena)
            return
        before, number = self.stamps.latest, start
        while number <= end:
            together = self.plan.forward(number, end)
            if together:
                self.memory.arena.ran(number, together)
            number += together or self.forward(number)
        self._forget_whole_passes()
        if whole:
            self._whole_forward.make(before, self.memory.schedule)

    def backward_through(self, start: int, end: int) -> None:
        """Steps `start` down to `end`, backward."""
        whole = end == 0 and start == len(self.steps) - 1
        self._check_backward(start)
        if whole and self._whole_forward.stands and self._whole_backward.stands:
            self._whole_backward.run(self.memory.arena)
            return
        before, number = self.stamps.latest, start
        while number >= end:
            self._check_backward(number)
            self._run_again(number)
            together = self.plan.backward(number, end)
            if together:
                self.memory.arena.ran(self._moment(number), together)
            number -= together or self._backward(number)
        if not whole:
            self._forget_whole_passes()
        elif self._whole_forward.stands:  # else its groups may not have run as such
            self._whole_backward.make(before, self.memory.schedule)

    def forward_backward(self) -> None:
        """All steps forward, then all of them backward."""
        if self._round_trip.stands or self._round_trip.join():
            self._round_trip.run(self.memory.arena)
            return
        last = len(self.steps) - 1
        self.forward_through(0, last)
        self.backward_through(last, 0)

    def _forget_whole_passes(self) -> None:
        """A part has run by itself."""
        for whole in (self._whole_forward, self._whole_backward, self._round_trip):
            whole.forget()

    def _moment(self, number: int) -> int:
        """When the backward of a step runs, as the memory plan counts."""
        return self.memory.schedule.back[number]

    def _check_backward(self, number: int) -> None:
        if self._forward_only:
            raise UsageError("the net was made with forward_only: it has no gradients")
        if self._reuse and self.memory.arena.has_run(self._moment(number)):
            raise UsageError(
                "backward runs once after each forward where not every blob is kept: it overwrites what it has read",
                hint="make the net without keep=[...]",
            )

    def forward(self, number: int) -> int:
        """One step by itself; 1."""
        self._forget_whole_passes()
        self.plan.part(number)
        step, io = self.steps[number], self.refresh(number)
        if step.asks_for_shapes:
            for blob, shape in zip(step.tops, step.implementation.top_shapes(io) or (), strict=True):
                blob.reshape(*shape)
            self.refresh(number)
        step.forward()
        self.memory.arena.ran(number)
        return 1

    def backward(self, number: int) -> int:
        """One step's backward by itself; 1."""
        self._forget_whole_passes()
        self._run_again(number)
        return self._backward(number)

    def _run_again(self, number: int) -> None:
        """Make anew what the backward of the segment around step `number` needs, if that has not been done."""
        steps = self.memory.schedule.again_before(number)
        if not steps or self.memory.arena.has_run(self.memory.schedule.again[steps[0]]):
            return
        done = 0
        while done < len(steps):
            together = self.plan.again(steps[done])
            self.memory.arena.ran(self.memory.schedule.again[steps[done]], together)
            done += together

    def _backward(self, number: int) -> int:
        self.plan.part(number, backward=True)
        step = self.steps[number]
        if step.runs_backward:
            self.refresh(number)
            step.backward()
        self.memory.arena.ran(self._moment(number))
        return 1
