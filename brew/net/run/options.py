"""How the layers of a net run: all that is decided about it, once, when the net is made."""

from __future__ import annotations

from typing import NamedTuple


class RunOptions(NamedTuple):
    """Where a net runs, with what, and what it may do there.

    engine     "onednn", or "caffe", which is NumPy
    fuse       layers may run together where no value changes (brew.net.run.fusion)
    keep       names of the blobs that must be readable after a pass; None: all of them
    recompute  where not all are, layers may run forward twice for less memory (brew.memory.recompute)
    """

    device: str = "cpu"
    engine: str = "caffe"
    fuse: bool = False
    keep: frozenset[str] | None = None
    recompute: bool = False

    def keeps(self, blob: str) -> bool:
        """Whether the blob of this name must be readable after a pass."""
        return self.keep is None or blob in self.keep
