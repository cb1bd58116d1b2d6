"""Which steps use which memory of a net, and when: the memory plan is made from this.

Moments are those of a `Schedule`. Recomputed values are in use twice: in forward, and from the recomputation on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from brew.layer.layout import Layout

from .arena import Piece, Span
from .blob import Blob, Memory
from .keys import SAVED, SCRATCH, Key, conversion
from .pass_schedule import Schedule
from .plannable import PlannableGroup, PlannableStep


@dataclass(slots=True)
class Use:
    """A memory of the net, and the moments that touch it, from the `first` to the `last`.

    size     the most elements that a moment needs of it
    written  the first moment writes it without reading it
    later    where its values are recomputed, the moments from then on; `first` to `last` are those before
    """

    memory: Memory
    size: int
    first: int
    last: int
    written: bool
    later: Span | None = None

    def touch(self, span: Span, size: int, *, written: bool) -> None:
        if span[0] < self.first:
            self.first, self.written = span[0], written
        elif span[0] == self.first:
            self.written = self.written and written
        self.last, self.size = max(self.last, span[1]), max(self.size, size)

    def touch_later(self, span: Span) -> None:
        self.later = span if self.later is None else _hull(self.later, span)

    def alone(self, outside: Collection[Memory], *, gradients: bool) -> bool:
        """Whether it must not lie in the arena: it is one of `outside`, permanent, or a gradient from outside.

        A gradient comes from outside if a layer reads it before any has written it: a loss weight, or zeros.
        """
        return self.memory in outside or self.memory.permanent or (gradients and not self.written)

    def spans(self) -> list[Span]:
        return [(self.first, self.last), *([] if self.later is None else [self.later])]


@dataclass(slots=True)
class Turn:
    """A step or a fused group, and when it runs: forward, forward again and backward, where it does.

    A `replaced` step is in a group that normally runs in its place: buffers of its own are not planned.
    """

    step: PlannableStep
    forward: Span
    again: Span | None
    backward: Span | None
    replaced: bool = False

    def later(self, held: Span | None) -> Span | None:
        """When it uses, after forward, what forward used; `held` is its backward, where that reads it too."""
        if self.again is None or held is None:
            return self.again or held
        return _hull(self.again, held)

    def spans(self, held: Span | None) -> list[Span]:
        """When it uses what its forward makes: in one span, or in two where forward runs again."""
        later = self.later(held)
        if later is None:
            return [self.forward]
        return [_hull(self.forward, later)] if self.again is None else [self.forward, later]


def _hull(first: Span, last: Span) -> Span:
    return min(first[0], last[0]), max(first[1], last[1])


Own: TypeAlias = tuple[int, Key]  # number of the turn, and what of its step


@dataclass(slots=True)
class Needs:
    """The needs of all turns of a net: memories of blobs, and pieces of each step's own (memory.keys)."""

    values: dict[Memory, Use] = field(default_factory=dict)
    gradients: dict[Memory, Use] = field(default_factory=dict)
    own: dict[Own, Piece] = field(default_factory=dict)


def turns(steps: Sequence[PlannableStep], groups: Sequence[PlannableGroup], schedule: Schedule) -> list[Turn]:
    """A turn for every step, and one for every group."""
    again, back = schedule.again, schedule.back
    result = []
    for i, step in enumerate(steps):
        second = (again[i], again[i]) if i in again else None
        result.append(Turn(step, (i, i), second, (back[i], back[i]) if step.runs_backward else None))
    for group in groups:
        second = (again[group.start], again[group.last]) if group.start in again else None
        backward = (back[group.last], back[group.start]) if group.runs_backward else None
        result.append(Turn(group.step, (group.start, group.last), second, backward))
        if group.runs_backward or not group.step.wanted.backward:
            for number in range(group.first, group.last + 1):
                result[number].replaced = True
    return result


def needs(among: Sequence[Turn], anew: Collection[Memory] = ()) -> Needs:
    """The needs of the turns of a pass; `anew` as in `Schedule`."""
    result = Needs()
    for number, turn in enumerate(among):
        _values(result, number, turn, anew)
        if turn.backward is not None:
            _gradients(result, number, turn, turn.backward)
        if not turn.replaced:
            _for_itself(result, number, turn)
    return result


def _for_itself(result: Needs, number: int, turn: Turn) -> None:
    for dtype, size in turn.step.scratch_elements().items():
        spans = [span for span in (turn.forward, turn.again, turn.backward) if span is not None]
        result.own[number, (SCRATCH, dtype)] = Piece(size, dtype, spans)
    for name, dtype, size in turn.step.saved_elements():
        result.own[number, (SAVED, name)] = Piece(size, dtype, turn.spans(turn.backward))


def _values(result: Needs, number: int, turn: Turn, anew: Collection[Memory]) -> None:
    step = turn.step
    for which, blobs, layouts in (("x", step.bottoms, step.layouts.x), ("y", step.tops, step.layouts.y)):
        held = turn.backward if which in step.reads else None
        for blob, layout in zip(blobs, layouts, strict=True):
            memory, made = blob.data_memory, which == "y"
            later = turn.later(held if memory.layout == layout else None)
            if later is None or memory in anew:
                use = _note(result.values, memory, blob, turn.forward, written=made)
                if later is not None:
                    use.touch_later(later)
            else:
                _note(result.values, memory, blob, _hull(turn.forward, later), written=made)
            if memory.layout != layout:
                _convert(result, (number, conversion("values", memory, layout)), blob, layout, turn.spans(held))


def _gradients(result: Needs, number: int, turn: Turn, back: Span) -> None:
    step = turn.step
    shared = {v.bottom for v in step.views if v is not None and v.diff}
    pairs = [(blob, layout, False) for blob, layout in zip(step.tops, step.layouts.y, strict=True)]
    pairs += [
        (blob, layout, True)
        for b, (blob, layout) in enumerate(zip(step.bottoms, step.layouts.x, strict=True))
        if step.wanted.bottoms[b] and b not in shared
    ]
    for blob, layout, written in pairs:
        memory = blob.diff_memory
        _note(result.gradients, memory, blob, back, written=written)
        if memory.layout != layout:
            _convert(result, (number, conversion("gradients", memory, layout)), blob, layout, [back])


def _note(uses: dict[Memory, Use], memory: Memory, blob: Blob, span: Span, *, written: bool) -> Use:
    size = max(memory.layout.size(blob.shape), memory.most)
    if (use := uses.get(memory)) is None:
        use = uses[memory] = Use(memory, size, *span, written)
    else:
        use.touch(span, size, written=written)
    return use


def _convert(result: Needs, own: Own, blob: Blob, layout: Layout, spans: list[Span]) -> None:
    if (before := result.own.get(own)) is not None:  # in place: bottom and top are one array
        spans = [_hull(*pair) for pair in zip(before.spans, spans, strict=True)]
    result.own[own] = Piece(layout.size(blob.shape), blob.data_memory.dtype, spans)


def from_outside(steps: Sequence[PlannableStep]) -> set[Memory]:
    """Memories that are written from outside, or not written anew in every pass."""
    result: set[Memory] = set()
    for step in steps:
        if not (step.layer.rewrites and step.bottoms):
            result |= {b.data_memory for blob in step.tops for b in (blob, blob.shown) if b is not None}
        if not step.layer.rewrites:
            result |= {blob.diff_memory for blob in step.bottoms}
    return result
