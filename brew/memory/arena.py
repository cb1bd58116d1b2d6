"""The memory that the values and gradients of a net use in turns: pieces, their leases, and which values are intact.

An `Arena` has one stretch of memory for each element type. memory.plan and memory.packing decide where pieces
lie; an arena knows only when each is in use. Moments are those of one pass of a net (memory.pass_schedule).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from brew import cuda
from brew.layer import Array, Shape, count
from brew.layer.layout import ALIGN

Span: TypeAlias = tuple[int, int]  # first and last moment


@dataclass(eq=False, slots=True)
class Piece:
    """`size` elements of `dtype`, from `offset` in their stretch on, in use in one to three spans of moments."""

    size: int
    dtype: np.dtype[Any]
    spans: Sequence[Span]
    offset: int = 0

    @property
    def end(self) -> int:
        """The element of the stretch behind its last one."""
        return self.offset + self.size

    def overlaps(self, other: Piece) -> bool:
        """Whether the two have memory in common."""
        return self.dtype == other.dtype and self.offset < other.end and other.offset < self.end


class Arena:
    """Memory for pieces whose offsets are set. Each stretch is allocated on first use.

    pieces  all pieces of this arena
    sizes   elements of each stretch, by type
    stale   a lease has become too small: the next pass begins with another arena
    tick    grows with whatever runs
    """

    def __init__(self, pieces: Sequence[Piece], sizes: Mapping[np.dtype[Any], int], moments: int, device: str) -> None:
        """`moments` is their number in a pass."""
        self.pieces, self.sizes, self.device = pieces, sizes, device
        self.stale = False
        self._flats: dict[np.dtype[Any], Array] = {}
        self.tick, self._ticks = 0, [0] * moments

    @property
    def bytes(self) -> int:
        """Bytes of all stretches, allocated or not."""
        return sum(size * dtype.itemsize for dtype, size in self.sizes.items())

    def flat(self, dtype: np.dtype[Any]) -> Array:
        """The stretch for elements of this type."""
        if dtype not in self._flats:
            size, line = self.sizes[dtype], ALIGN // dtype.itemsize  # elements
            if self.device == "cpu":
                flat = np.empty(size + line, dtype)
                start = -flat.ctypes.data % ALIGN // dtype.itemsize
                self._flats[dtype] = flat[start : start + size]
            else:
                self._flats[dtype] = cuda.empty(size, dtype)
        return self._flats[dtype]

    # --- what lies there now -------------------------------------------------------------------------------------

    def ran(self, first: int, count: int = 1) -> None:
        """Note that the steps of these moments have run."""
        self.tick += 1
        for moment in range(first, first + count):
            self._ticks[moment] = self.tick

    def ran_turns(self, first: int, turns: Sequence[int]) -> None:
        """Note that one step has run for each of `turns`, from moment `first` on; steps with the same number, counted
        from 0, ran together."""
        begun = self.tick + 1
        self._ticks[first : first + len(turns)] = [*map(begun.__add__, turns)]
        self.tick = begun + (turns[-1] if turns else 0)

    def has_run(self, moment: int) -> bool:
        """Whether the step of `moment` has run since the latest forward pass began."""
        return self._ticks[moment] > self._ticks[0]

    @property
    def ever_ran(self) -> bool:
        return self.tick > 0

    def intact(self, piece: Piece) -> bool:
        """Whether no other piece has been written over the last values of this one."""
        written = max(self._ticks[first] for first, _ in piece.spans)
        return written > 0 and not any(
            other is not piece and other.overlaps(piece) and max(map(self._latest, other.spans)) > written
            for other in self.pieces
        )

    def _latest(self, span: Span) -> int:
        return max(self._ticks[span[0] : span[1] + 1])


class Lease:
    """The right of a memory or a step to use a piece of an arena."""

    __slots__ = ("arena", "piece")

    def __init__(self, arena: Arena, piece: Piece) -> None:
        self.arena, self.piece = arena, piece

    def flat(self) -> Array:
        """All elements of the piece."""
        return self.arena.flat(self.piece.dtype)[self.piece.offset : self.piece.end]

    def array(self, shape: Shape) -> Array | None:
        """The first elements as `shape`; None where the piece is too small: the arena is stale then."""
        if self.piece.size < count(shape):
            self.outgrown()
            return None
        return self.flat()[: count(shape)].reshape(shape)

    def outgrown(self) -> None:
        """Note that the piece is too small: the arena is stale."""
        self.arena.stale = True

    @property
    def used(self) -> bool:
        """Whether any step has run in this arena."""
        return self.arena.ever_ran

    @property
    def intact(self) -> bool:
        """Whether the values last written here have not been overwritten."""
        return self.arena.intact(self.piece)
