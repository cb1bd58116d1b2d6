"""Who touches which memory of a net, and when: what its memory plan is made from.

A pass over n steps has 2n moments: 0 to n - 1 forward, then n to 2n - 1 backward, from the last step to the first.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from brew.blob import Blob, Memory
    from brew.fusion import Group
    from brew.layout import Layout
    from brew.step import Step

Span: TypeAlias = tuple[int, int]  # first and last moment


@dataclass(eq=False, slots=True)
class Piece:
    """`size` elements of `dtype` that are in use in one or two spans of moments, and where they lie."""

    size: int
    dtype: np.dtype[Any]
    spans: Sequence[Span]
    offset: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size

    def overlaps(self, other: Piece) -> bool:
        """Whether the two have memory in common."""
        return self.dtype == other.dtype and self.offset < other.end and other.offset < self.end


@dataclass(slots=True)
class Use:
    """A memory of the net: the moments that touch it, and whether the first of them writes it without reading it."""

    memory: Memory
    size: int
    first: int
    last: int
    written: bool

    def touch(self, span: Span, size: int, *, written: bool) -> None:
        if span[0] < self.first:
            self.first, self.written = span[0], written
        elif span[0] == self.first:
            self.written = self.written and written
        self.last, self.size = max(self.last, span[1]), max(self.size, size)


@dataclass(slots=True)
class Turn:
    """A step, or several as one, and when it runs: forward, and backward where it does.

    A `seldom` one has a group in its place, as long as nobody wants a part of that: what it needs for itself is then
    not planned.
    """

    step: Step
    forward: Span
    backward: Span | None
    seldom: bool = False


Own = tuple[int, tuple[Hashable, ...]]  # number of the turn, and what of its step


@dataclass(slots=True)
class Needs:
    """What the turns of a net need: memories by id, and what each step needs for itself."""

    values: dict[int, Use] = field(default_factory=dict)
    gradients: dict[int, Use] = field(default_factory=dict)
    own: dict[Own, Piece] = field(default_factory=dict)


SCRATCH, SAVED = "scratch", "saved"


def turns(steps: Sequence[Step], groups: Sequence[Group]) -> list[Turn]:
    """Every step by itself, and every group of them beside."""
    last = 2 * len(steps) - 1
    result = [Turn(step, (i, i), (last - i, last - i) if step.runs_backward else None) for i, step in enumerate(steps)]
    for group in groups:
        runs = group.step.runs_backward and group.step.how.both
        backward = (last - group.last, last - group.start) if runs else None
        result.append(Turn(group.step, (group.start, group.last), backward))
        if runs or not group.step.wanted.backward:
            for number in range(group.first, group.last + 1):
                result[number].seldom = True
    return result


def needs(among: Sequence[Turn]) -> Needs:
    """Go through a pass and note who touches what, when."""
    result = Needs()
    for number, turn in enumerate(among):
        _values(result, number, turn)
        if turn.backward is not None:
            _gradients(result, number, turn, turn.backward)
        if not turn.seldom:
            _for_itself(result, number, turn)
    return result


def _for_itself(result: Needs, number: int, turn: Turn) -> None:
    spans = [turn.forward] if turn.backward is None else [turn.forward, turn.backward]
    for dtype, size in turn.step.scratch_elements().items():
        result.own[number, (SCRATCH, dtype)] = Piece(size, dtype, spans)
    for name, dtype, size in turn.step.saved_elements():
        result.own[number, (SAVED, name)] = Piece(size, dtype, [(spans[0][0], spans[-1][1])])


def _values(result: Needs, number: int, turn: Turn) -> None:
    step = turn.step
    for which, blobs, layouts in (("x", step.bottoms, step.layouts.x), ("y", step.tops, step.layouts.y)):
        reads = turn.backward if which in step.reads else None
        span = turn.forward if reads is None else (turn.forward[0], reads[1])
        for blob, layout in zip(blobs, layouts, strict=True):
            memory, made = blob.data_memory, which == "y"
            if memory.layout == layout:
                _note(result.values, memory, blob, span, written=made)
            else:
                _note(result.values, memory, blob, turn.forward, written=made)
                _convert(result, (number, conversion("values", memory, layout)), blob, layout, span)


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
            _convert(result, (number, conversion("gradients", memory, layout)), blob, layout, back)


def _note(uses: dict[int, Use], memory: Memory, blob: Blob, span: Span, *, written: bool) -> None:
    size = max(memory.layout.size(blob.shape), memory.most)
    if (use := uses.get(id(memory))) is None:
        uses[id(memory)] = Use(memory, size, *span, written)
    else:
        use.touch(span, size, written=written)


def _convert(result: Needs, own: Own, blob: Blob, layout: Layout, span: Span) -> None:
    before = result.own.get(own)
    last = span[1] if before is None else max(span[1], before.spans[0][1])
    result.own[own] = Piece(layout.size(blob.shape), blob.data_memory.dtype, [(span[0], last)])


def conversion(what: str, memory: Memory, layout: Layout) -> tuple[Hashable, ...]:
    """The name of a step's array that has "values" or "gradients" of a memory in another layout."""
    return what, id(memory), layout
