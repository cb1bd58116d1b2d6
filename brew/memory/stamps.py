"""Whether anything has changed in the blobs of a net since it was last asked: one number to compare."""

from __future__ import annotations

import itertools
from weakref import WeakSet


class Stamps:
    """Stamps for the changes of one net's blobs, and of the nets that share its weights: those have blobs in common.

    latest  the stamp given last: while it stays, none of these blobs has changed, nor has one been exposed
    """

    __slots__ = ("__weakref__", "_followers", "_new", "latest")

    def __init__(self) -> None:
        self.latest = 0
        self._new = itertools.count(1)
        self._followers: WeakSet[Stamps] = WeakSet()

    def changed(self) -> int:
        """A new stamp; none is given twice."""
        self.latest = stamp = next(self._new)
        for follower in self._followers:
            follower.changed()
        return stamp

    def follow(self, other: Stamps) -> None:
        """Change, from now on, whenever `other` changes; where `other` follows this one already, nothing is needed."""
        if other is not self and not self._leads(other):
            other._followers.add(self)

    def _leads(self, other: Stamps) -> bool:
        return any(follower is other or follower._leads(other) for follower in self._followers)
