"""Whether anything has changed in the blobs of a net since it was last asked: one number to compare."""

from __future__ import annotations

import itertools


class Stamps:
    """Stamps for the changes of one net's blobs, and of the nets that share its weights: those have blobs in common.

    latest  the stamp given last: while it stays, none of these blobs has changed, nor has one been exposed
    """

    __slots__ = ("_new", "latest")

    def __init__(self) -> None:
        self.latest = 0
        self._new = itertools.count(1)

    def changed(self) -> int:
        """A new stamp; none is given twice."""
        self.latest = stamp = next(self._new)
        return stamp
