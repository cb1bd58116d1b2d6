"""Which layers of a net run together, planned once on its steps and never visible in what can be read.

A `Group` is a fused group: layers that the engine computes as one (brew.layer.fused). It runs where all of it is to run
and no callback is in between; otherwise its members run by themselves. Only a value that the next layer
overwrites in place is skipped, so every blob that can be read after a pass holds what it holds without groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from brew.layer import Unsupported
from brew.memory.blob import Blob
from brew.memory.scratch import Scratch

from .binding import Binding
from .fused_step import FusedStep
from .step import Direction, Step

if TYPE_CHECKING:
    from brew.layer.engine import Engine


@dataclass(slots=True)
class Group:
    """Steps `first` to `last` of a net, run by `step`.

    producer  the number of the step that makes its first bottom, where that one can be made to write into the group's
              own buffer; forward then begins with it
    """

    first: int
    last: int
    step: FusedStep
    producer: int | None = None
    skipped: list[Blob] = field(default_factory=list)  # left unwritten
    ran: bool = False  # whether the last forward was this group's, so that backward can be

    @property
    def start(self) -> int:
        """The step that forward begins with."""
        return self.first if self.producer is None else self.producer

    @property
    def runs_backward(self) -> bool:
        """Whether backward runs the group as one too, and has something to do there."""
        return self.step.runs_backward and self.step.how.both

    def free(self) -> bool:
        """Whether no blob that the group skips has been looked at."""
        return not any(b.data_memory.exposed or b.diff_memory.exposed for b in self.skipped)


class FusedGroups:
    """The groups of a net's steps, and how they take turns with their members."""

    def __init__(
        self, steps: Sequence[Step], binding: Binding, kept: Callable[[str], bool], engine: Engine | None
    ) -> None:  # fmt: skip
        """`kept` says which blobs must be readable after a pass; `engine` computes fused groups, if one does."""
        self.steps, self.binding = steps, binding
        self.groups = list(_groups(steps, binding.scratch, kept, engine)) if engine is not None else []
        self._by_start = {group.start: group for group in self.groups}
        self._by_last = {group.last: group for group in self.groups}
        self._by_member = {n: group for group in self.groups for n in range(group.start, group.last + 1)}

    def forward(self, number: int, last: int) -> int:
        """Run the group that begins at step `number`, if there is one and it ends by `last`; its steps, else 0."""
        group = self._by_start.get(number)
        if group is None or group.last > last or not group.free() or group.step.is_refused:
            return 0
        try:
            self._bind(group)
        except Unsupported:  # in its present shapes
            return 0
        if group.producer is not None:
            self.steps[group.producer].forward()
        group.step.forward()
        group.ran = True
        return group.last + 1 - number

    def backward(self, number: int, end: int) -> int:
        """Run the group that ends at step `number` backward, if forward ran it and it begins no sooner than `end`."""
        group = self._by_last.get(number)
        if group is None or not group.ran or not group.step.how.both or group.first < end or not group.free():
            return 0
        if group.step.runs_backward:
            self.binding.arrays(group.step)  # a blob may have been exposed since forward
            group.step.backward()
        return number + 1 - group.first

    def again(self, number: int) -> int:
        """Run what the last forward ran at step `number` once more; its steps."""
        group = self._by_start.get(number)
        if group is not None and group.ran:
            self._bind(group)  # a blob may have been exposed since forward
        else:
            self.binding.arrays(self.steps[number])
        calls, count = self.turn(number, "again")
        for call in calls:
            call()
        return count

    def turn(self, number: int, direction: Direction) -> tuple[list[Callable[[], object]], int]:
        """What the last pass ran at step `number`, as calls, and how many steps that were."""
        backward = direction == "backward"
        group = (self._by_last if backward else self._by_start).get(number)
        if group is None or not group.ran:
            step = self.steps[number]
            return [] if backward and not step.runs_backward else [step.bound(direction)], 1
        if backward:
            calls = [group.step.bound(direction)] if group.step.runs_backward else []
            return calls, number + 1 - group.first
        calls = [group.step.bound(direction)]
        if group.producer is not None:
            calls.insert(0, self.steps[group.producer].bound(direction))
        return calls, group.last + 1 - number

    def part(self, number: int, *, backward: bool = False) -> None:
        """Step `number` is about to run by itself: make it so that it can."""
        group = self._by_member.get(number)
        if group is None:
            return
        if number == group.producer:
            if not backward:  # which does not ask where forward has written
                self._redirect(group, None)
        elif group.ran:
            group.ran = False
            begins = number == group.first and not backward  # all of them run now
            stands = group.step.io is not None and group.step.shapes == group.step.current_shapes()
            converted = group.step.how.both and bool(group.step.values.before)  # the members have their own
            if stands and not begins and group.step.wanted.backward and (group.step.how.stateful or converted):
                self._replay(group)

    def _bind(self, group: Group) -> None:
        """Everything stands for a forward of the group."""
        if group.producer is not None:
            self.binding.arrays(self.steps[group.producer])  # its top has its shape now
        self.binding.arrays(group.step)
        source = group.step.how.source
        if group.producer is not None and source is not None:
            self._redirect(group, source)

    def _redirect(self, group: Group, source: str | None) -> None:
        """Let the producer of the group's bottom write into its buffer `source`, or where it always does."""
        assert group.producer is not None
        producer = self.steps[group.producer]
        target = group.step.io.work[source] if source is not None and group.step.io is not None else None
        if producer.redirect is not target:
            producer.redirect = target
            producer.unbind()
            self.binding.arrays(producer)

    def _replay(self, group: Group) -> None:
        """Let the members do what the group has done, so that each has what its backward needs."""
        how, members, io = group.step.how, group.step.members, group.step.io
        assert io is not None
        bottom, source = group.step.bottoms[0], how.source
        written = [bottom, *(top for member in members for top in member.tops), *group.step.params]
        arrays = [memory.array(shape) for memory, shape in {b.data_memory: b.shape for b in written}.items()]
        present = [array.copy() for array in arrays]  # others may lie there where no step needs these
        if source is not None:
            bottom.data_memory.array(bottom.shape)[...] = io.work[source]
        # The plan keeps what the group has converted, not what it was converted from.
        made = {top.data_memory for member in members for top in member.tops}
        converted = {blob.data_memory for blob in group.step.bottoms} - made
        for member in members:
            self.binding.arrays(member)
            member.forward_after(group.step.values, converted)
        for array, value in zip(arrays, present, strict=True):
            array[...] = value


def _groups(steps: Sequence[Step], scratch: Scratch, kept: Callable[[str], bool], engine: Engine) -> Iterator[Group]:
    """The groups that are computed together, from the front, the longest at each place."""
    readers: dict[Blob, int] = {}
    for step in steps:
        for blob in step.bottoms:
            readers[blob] = readers.get(blob, 0) + 1
    number, taken = 0, 0  # steps before `taken` belong to groups
    while number < len(steps):
        group = next(_groups_at(number, steps, scratch, readers, kept, engine), None)
        if group is None:
            number += 1
            continue
        group.producer = _producer(number, steps, group.step) if number > taken else None
        group.step.how.fed = group.producer is not None
        yield group
        number = taken = group.last + 1


def _groups_at(
    number: int, steps: Sequence[Step], scratch: Scratch, readers: dict[Blob, int], kept: Callable[[str], bool],
    engine: Engine,
) -> Iterator[Group]:  # fmt: skip
    for types in engine.groups:
        members = list(steps[number : number + len(types)])
        if tuple(step.layer.type for step in members) != types or not _chained(members):
            continue
        how = engine.fused_class(types)
        skipped = _skipped(members, readers, kept) if how.skips else []
        if skipped is None:
            continue
        try:
            step = FusedStep(members, how)
            step.prepare(scratch)
        except Unsupported:
            continue
        if list(step.layouts.y) == [b.data_memory.layout for b in step.tops]:
            yield Group(number, number + len(types) - 1, step, skipped=skipped)


def _chained(members: Sequence[Step]) -> bool:
    """Whether every step reads what the one before it makes, and all are of one phase and no losses."""
    alone = all(len(s.tops) == 1 and s.views[0] is None and not any(s.loss_weights) for s in members)
    return alone and all(_linked(a, b) for a, b in pairwise(members)) and not _overwrites_another(members)


def _linked(step: Step, after: Step) -> bool:
    """Whether `after` reads the top of `step`, once, and gives its gradient where `step` asks for one."""
    top = step.tops[0]
    if after.bottoms.count(top) != 1 or step.layer.context.phase != after.layer.context.phase:
        return False
    return after.wanted.bottoms[after.bottoms.index(top)] == step.wanted.backward


def _overwrites_another(members: Sequence[Step]) -> bool:
    """Whether a top of the group lies where it reads something else than its first bottom and what it has made."""
    inside = {members[0].bottoms[0], *(step.tops[0] for step in members)}
    outside = {blob for step in members for blob in step.bottoms} - inside
    written = {step.tops[0].data_memory for step in members}
    return any(blob.data_memory in written for blob in outside)


def _skipped(members: Sequence[Step], readers: dict[Blob, int], kept: Callable[[str], bool]) -> list[Blob] | None:
    """The blobs that the group leaves unwritten, though no layer overwrites them; None where one of them is wanted.

    Training wants them all: backward overwrites their gradients.
    """
    top = members[-1].tops[0]
    skipped = []
    for step in members[:-1]:
        blob = step.tops[0]
        if blob == top:
            continue
        inside = sum(member.bottoms.count(blob) for member in members)
        if step.wanted.backward or readers[blob] > inside or kept(blob.name):
            return None
        skipped.append(blob)
    return skipped


def _producer(number: int, steps: Sequence[Step], step: FusedStep) -> int | None:
    """The step before, where it can write what the group reads into the group's own buffer."""
    if step.how.source is None:
        return None
    producer = steps[number - 1]
    alone = len(producer.tops) == 1 and producer.views[0] is None and producer.tops[0] not in producer.bottoms
    writes = bool(producer.bottoms) and producer.layer.rewrites
    if not alone or not writes or producer.tops[0] is not step.bottoms[0] or producer.asks_for_shapes:
        return None
    same = producer.layouts.y[0] == step.layouts.x[0]
    return number - 1 if same and not (producer.wanted.backward and "y" in producer.layer.reads) else None
