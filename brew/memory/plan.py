"""Where the values and gradients of a net lie when not every blob is kept: in one arena, used in turns.

A piece of the arena is in use from the first moment of a pass that writes it to the last one that reads it
(brew.memory.uses); pieces that are never in use together may have elements in common. A memory that is written or read
from outside the pass does not lie in the arena.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from .arena import Arena, Lease, Piece
from .blob import Blob, Memory
from .joined import followers, rows
from .keys import SCRATCH
from .packing import pack_rows
from .pass_schedule import Schedule
from .plannable import PlannableGroup, PlannableStep
from .uses import Use, from_outside, needs, turns


class MemoryPlan:
    """Places in the `arena` of a net, for memories and steps. Nothing is allocated before `lend`.

    values, gradients   bytes of the memories that do not lie in the arena
    """

    def __init__(
        self, steps: Sequence[PlannableStep], groups: Sequence[PlannableGroup], kept: Collection[Memory], device: str,
        schedule: Schedule, *, reuse: bool,
    ) -> None:  # fmt: skip
        """`kept` are the memories that the caller reads or writes; they do not lie in the arena.

        With `reuse` False, every value can be read after a pass, and steps may run in any order, any number of times.
        """
        self.schedule = schedule
        self._steps = steps
        self._turns = turns(steps, groups, schedule)
        need = needs(self._turns, schedule.anew)
        for (_, (what, *_)), piece in need.own.items():
            if not reuse and what != SCRATCH:
                piece.spans = [(0, schedule.moments)]
        self._memories: dict[Memory, Piece] = {}
        self._own = need.own
        alone = set(kept) | from_outside(steps)
        self.values = self._choose(need.values, alone, gradients=False)
        self.gradients = self._choose(need.gradients, alone, gradients=True)
        pieces = [*self._memories.values(), *self._own.values()]
        joined = followers(self._turns, self._memories)
        sizes = {
            dtype: pack_rows(rows([p for p in pieces if p.dtype == dtype], joined))
            for dtype in {piece.dtype for piece in pieces}
        }
        self.arena = Arena(pieces, sizes, schedule.moments, device)

    def _choose(self, uses: Mapping[Memory, Use], alone: Collection[Memory], *, gradients: bool) -> int:
        """Plan pieces for the memories that may lie in the arena; returns the bytes of the others."""
        rest = 0
        for use in uses.values():
            if use.alone(alone, gradients=gradients):
                rest += use.size * use.memory.dtype.itemsize
            else:
                self._memories[use.memory] = Piece(use.size, use.memory.dtype, use.spans())
        return rest

    def lend(self) -> None:
        """Lease all memories and steps their pieces of the arena."""
        for memory, piece in self._memories.items():
            if not memory.permanent:  # exposed since this was planned
                memory.lend(Lease(self.arena, piece))
        for turn in self._turns:
            turn.step.leases = {}
        for (number, what), piece in self._own.items():
            self._turns[number].step.leases[what] = Lease(self.arena, piece)

    def gone(self, start: int) -> Iterator[Blob]:
        """Blobs that layers from `start` on read, that layers before it make, and whose values are lost."""
        for step in self._steps[start:]:
            for blob in step.bottoms:
                lease = blob.data_memory.lease
                if lease is not None and lease.piece.spans[0][0] < start and not lease.intact:
                    yield blob
