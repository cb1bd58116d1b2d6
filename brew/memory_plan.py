"""Where the values and gradients of a net lie when not every blob is kept: one arena, its bytes used in turns.

A piece of the arena is in use from the first moment of a pass that writes it to the last one that reads it
(brew.memory_uses); pieces that are never in use together may lie in the same bytes. What comes from outside or is read
from there has memory of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.layer import Array, Shape, count
from brew.memory_joined import followers, rows
from brew.memory_uses import SCRATCH, Piece, Span, Use, from_outside, needs, turns

if TYPE_CHECKING:
    from brew.blob import Blob, Memory
    from brew.fusion import Group
    from brew.schedule import Schedule
    from brew.step import Step

_ALIGN = 64  # bytes: every piece starts on a cache line
_MOST = 1 << 61  # elements, in places of 64 bits
_MOST_SPANS = 3  # that a piece has
_NEVER = (np.iinfo(np.int64).max, -1)  # a span that meets no other


def pack(pieces: Sequence[Piece]) -> int:
    """Give pieces of one type their offsets: none in use together have an element in common. The elements of all.

    The largest first, each into the smallest gap that it fits ("greedy by size", Pisarchyk and Lee, Efficient Memory
    Management for Deep Neural Net Inference, 2020).
    """
    together = sum(piece.size for piece in pieces)
    if together > _MOST:
        return together  # more than there is: nothing will be allocated
    line = _ALIGN // pieces[0].dtype.itemsize if pieces else 1
    order = sorted(pieces, key=lambda p: (-p.size, p.spans[0]))
    padded = [([*p.spans] + [_NEVER] * _MOST_SPANS)[:_MOST_SPANS] for p in order]
    spans = np.array(padded, np.int64).reshape(-1, _MOST_SPANS, 2)
    low, high = np.zeros(len(order), np.int64), np.zeros(len(order), np.int64)
    for i, piece in enumerate(order):
        before, mine = spans[:i, :, None], spans[i]
        meets = ((before[..., 0] <= mine[:, 1]) & (before[..., 1] >= mine[:, 0])).any(axis=(1, 2))
        size = -(-piece.size // line) * line
        low[i] = piece.offset = _gap(low[:i][meets], high[:i][meets], size)
        high[i] = low[i] + size
    return int(high.max(initial=0))


def pack_rows(rows: Iterable[Sequence[Piece]]) -> int:
    """As `pack`, for pieces of which each row lies in one place, used by one after the other."""
    whole = {}
    for row in rows:
        spans = [(row[0].spans[0][0], row[-1].spans[0][1])] if len(row) > 1 else row[0].spans
        whole[Piece(max(piece.size for piece in row), row[0].dtype, spans)] = row
    size = pack(list(whole))
    for place, row in whole.items():
        for piece in row:
            piece.offset = place.offset
    return size


def _gap(low: npt.NDArray[np.int64], high: npt.NDArray[np.int64], size: int) -> int:
    """Where `size` elements lie best beside the stretches low to high: in the tightest gap, else behind them all."""
    order = np.argsort(low)
    low, ends = low[order], np.maximum.accumulate(high[order])
    starts = np.concatenate([np.zeros(1, np.int64), ends])
    gaps = low - starts[:-1]
    fits = np.flatnonzero(gaps >= size)
    return int(starts[fits[gaps[fits].argmin()]] if fits.size else starts[-1])


class Lease:
    """A piece of a plan's arena in somebody's hands."""

    __slots__ = ("piece", "plan")

    def __init__(self, plan: MemoryPlan, piece: Piece) -> None:
        self.plan, self.piece = plan, piece

    def flat(self) -> Array:
        """All of it."""
        return self.plan.arena(self.piece.dtype)[self.piece.offset : self.piece.end]

    def array(self, shape: Shape) -> Array | None:
        """The first elements as `shape`; None where they do not fit, and the next pass begins with another plan."""
        if self.piece.size < count(shape):
            self.outgrown()
            return None
        return self.flat()[: count(shape)].reshape(shape)

    def outgrown(self) -> None:
        """Somebody needs more than was planned."""
        self.plan.stale = True

    @property
    def used(self) -> bool:
        """Whether anything was ever written here."""
        return self.plan.ever_ran

    @property
    def intact(self) -> bool:
        """Whether what was last written here has not been overwritten by others."""
        return self.plan.intact(self.piece)


class MemoryPlan:
    """Who lies where in the arena of a net. `bytes` is its size; nothing is allocated before `lend`.

    kept     the memories, by id, that people read or write: they have memory of their own
    values, gradients   bytes of what has memory of its own
    """

    def __init__(
        self, steps: Sequence[Step], groups: Sequence[Group], kept: Collection[int], device: str,
        schedule: Schedule, *, reuse: bool,
    ) -> None:  # fmt: skip
        """`reuse` False: everything can be read after a pass, and steps may run in any order, as often as one likes."""
        self.device = device
        self.schedule = schedule
        self.stale = False
        self._steps = steps
        self._turns = turns(steps, groups, schedule)
        self._arenas: dict[np.dtype[Any], Array] = {}
        self._tick, self._ticks = 0, [0] * schedule.moments
        need = needs(self._turns, schedule.anew)
        for (_, (what, *_)), piece in need.own.items():
            if not reuse and what != SCRATCH:
                piece.spans = [(0, len(self._ticks))]
        self._memories: list[tuple[Memory, Piece]] = []
        self._own = need.own
        alone = set(kept) | from_outside(steps)
        self.values = self._choose(need.values, alone, gradients=False)
        self.gradients = self._choose(need.gradients, alone, gradients=True)
        self._pieces = [piece for _, piece in self._memories] + list(self._own.values())
        joined = followers(self._turns, {id(memory): piece for memory, piece in self._memories})
        self._sizes: dict[np.dtype[Any], int] = {}
        for dtype in {piece.dtype for piece in self._pieces}:
            self._sizes[dtype] = pack_rows(rows([p for p in self._pieces if p.dtype == dtype], joined))
        self.bytes = sum(size * dtype.itemsize for dtype, size in self._sizes.items())

    def _choose(self, uses: dict[int, Use], alone: Collection[int], *, gradients: bool) -> int:
        """Take up what may lie in the arena; the bytes of the rest."""
        rest = 0
        for use in uses.values():
            if use.alone(alone, gradients=gradients):
                rest += use.size * use.memory.dtype.itemsize
            else:
                piece = Piece(use.size, use.memory.dtype, use.spans())
                self._memories.append((use.memory, piece))
        return rest

    def arena(self, dtype: np.dtype[Any]) -> Array:
        """The memory for elements of this type."""
        if dtype not in self._arenas:
            size, line = self._sizes[dtype], _ALIGN // dtype.itemsize
            if self.device == "cpu":
                flat = np.empty(size + line, dtype)
                start = -flat.ctypes.data % _ALIGN // dtype.itemsize
                self._arenas[dtype] = flat[start : start + size]
            else:
                self._arenas[dtype] = cuda.empty(size, dtype)
        return self._arenas[dtype]

    def lend(self) -> None:
        """Allocate, and let all memories and steps live where they are planned."""
        for memory, piece in self._memories:
            if not memory.settled:  # somebody may have looked at it since this was planned
                memory.lend(Lease(self, piece))
        for turn in self._turns:
            turn.step.leases = {}
        for (number, what), piece in self._own.items():
            self._turns[number].step.leases[what] = Lease(self, piece)

    # --- what lies there now -------------------------------------------------------------------------------------

    def ran(self, first: int, count: int = 1) -> None:
        """The steps of these moments have run."""
        self._tick += 1
        for moment in range(first, first + count):
            self._ticks[moment] = self._tick

    def ran_turns(self, first: int, turns: Sequence[int]) -> None:
        """The steps from this moment on have run, one for each of `turns`: together where these numbers, from 0, are
        the same."""
        begun = self._tick + 1
        self._ticks[first : first + len(turns)] = [begun + turn for turn in turns]
        self._tick = begun + (turns[-1] if turns else 0)

    def has_run(self, moment: int) -> bool:
        """Whether it has run since the latest forward pass began."""
        return self._ticks[moment] > self._ticks[0]

    @property
    def ever_ran(self) -> bool:
        return self._tick > 0

    def intact(self, piece: Piece) -> bool:
        written = max(self._ticks[first] for first, _ in piece.spans)
        return written > 0 and not any(
            other is not piece and other.overlaps(piece) and max(map(self._latest, other.spans)) > written
            for other in self._pieces
        )

    def _latest(self, span: Span) -> int:
        return max(self._ticks[span[0] : span[1] + 1])

    def gone(self, start: int) -> Iterator[Blob]:
        """Blobs that layers from `start` on read, that layers before it make, and whose values are lost."""
        for step in self._steps[start:]:
            for blob in step.bottoms:
                lease = blob.data_memory.lease
                if lease is not None and lease.piece.spans[0][0] < start and not lease.intact:
                    yield blob
