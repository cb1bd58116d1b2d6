"""Which gradients of a net's memory plan lie in one place, one after the other, so that nothing is copied or moved.

The gradient of a sum is that of each of its summands: where no step reads the sum's afterwards, one of the summands'
is already there. The gradient of a blob that is read twice is added to one of the two. Implementations say which
gradients may lie in one place (`Implementation.over`); this module decides which do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .arena import Piece
from .blob import Memory
from .uses import Turn


def followers(turns: Sequence[Turn], pieces: Mapping[Memory, Piece]) -> dict[Piece, Piece]:
    """For a gradient's piece, the one that takes its elements over as it ends. `pieces` has all of the arena."""
    found: dict[Piece, Piece] = {}
    taken: set[Piece] = set()
    for turn in turns:
        pairs = (pair for pair in _pairs(turn, pieces) if pair[0] not in found and pair[1] not in taken)
        # What lives long leaves the fewest gaps.
        best = max(pairs, key=lambda pair: (pair[1].spans[0][1], -pair[0].spans[0][0]), default=None)
        if best is not None:
            found[best[0]] = best[1]
            taken.add(best[1])
    return found


def _pairs(turn: Turn, pieces: Mapping[Memory, Piece]) -> Iterator[tuple[Piece, Piece]]:
    """Gradients of a top, last used by this turn, and of a bottom, first written by it, that may lie in one place."""
    if turn.backward is None:
        return
    step = turn.step
    wanted = [blob.diff_memory for blob, want in zip(step.bottoms, step.wanted.bottoms, strict=True) if want]
    for bottom, top in step.over:
        if not step.wanted.bottoms[bottom] or step.tops[top].diff_memory in wanted:  # in place, another one lies there
            continue
        memories = step.tops[top].diff_memory, step.bottoms[bottom].diff_memory
        before, after = (pieces.get(memory) for memory in memories)
        if before is None or after is None or not _as_they_lie(turn, memories, bottom, top):
            continue
        ends, begins = before.spans[0][1] == turn.backward[1], after.spans[0][0] == turn.backward[0]
        if ends and begins and before.size == after.size:
            yield before, after


def _as_they_lie(turn: Turn, memories: tuple[Memory, Memory], bottom: int, top: int) -> bool:
    """Whether the step works on these memories without conversion."""
    layouts = turn.step.layouts
    return memories[0].layout == layouts.y[top] and memories[1].layout == layouts.x[bottom]


def rows(pieces: Iterable[Piece], followers: Mapping[Piece, Piece]) -> Iterator[list[Piece]]:
    """Lists of the pieces that follow one another; a list of one for the others."""
    behind = set(followers.values())
    for piece in pieces:
        if piece not in behind:
            row = [piece]
            while row[-1] in followers:
                row.append(followers[row[-1]])
            yield row
