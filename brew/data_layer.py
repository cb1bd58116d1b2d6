"""What layers that bring records in have beyond the contract of every layer: a source, and a place in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from brew.layer import Layer, Shape, exactly

if TYPE_CHECKING:
    from brew.proto.brew_pb2 import SourceState


class DataLayer(Layer):
    """A layer that brings records in from a source and remembers how far it is.

    The same batch goes to whatever device the net is on (`brew.data.feed` holds the implementations).
    """

    bottoms = exactly(0)
    reads = frozenset()

    def next_shapes(self) -> list[Shape]:
        """Shapes of the batch the next forward will bring; waits for it where it is being prefetched."""
        raise NotImplementedError

    def next_batch(self) -> list[npt.NDArray[Any]]:
        """The next batch, one host array per top, valid until the next call; moves the cursor behind it."""
        raise NotImplementedError

    def epoch(self) -> int | None:
        """Records in one pass over the data; None where there is no such thing (windows drawn at random)."""
        return None

    def state(self) -> SourceState:
        """Where the *consumed* data ends, to be stored with a snapshot."""
        raise NotImplementedError

    def restore(self, state: SourceState) -> None:
        """Go on right behind the records `state` says were consumed."""
        raise NotImplementedError

    def skip_to(self, record: int) -> None:
        """Go on at record number `record` (counted over epochs) as an uninterrupted run would have."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop prefetching and close the source."""
