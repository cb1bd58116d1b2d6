"""The vectors that pycaffe's objects give: lists, under the names that scripts ask for."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Self, SupportsIndex, TypeVar

from brew.errors import UsageError
from brew.layer import shape_text
from brew.memory.blob import Blob

log = logging.getLogger("brew")

T = TypeVar("T")


class Vector(list[T]):
    """A list. One that shows what a net has is `fixed`: nothing would come of changing it, so it is a UsageError."""

    _fixed = False

    def fixed(self) -> Self:
        """This vector, which nobody may change from now on."""
        self._fixed = True
        return self

    def _check(self) -> None:
        if self._fixed:
            raise UsageError(
                f"this {type(self).__name__} shows what a net has, and cannot be changed",
                hint="change the values, x.data[...] = ...; what a net consists of, its prototxt says",
            )

    def append(self, item: T, /) -> None:
        self._check()
        super().append(item)

    def extend(self, items: Iterable[T], /) -> None:
        self._check()
        super().extend(items)

    def insert(self, index: SupportsIndex, item: T, /) -> None:
        self._check()
        super().insert(index, item)

    def __setitem__(self, index: Any, value: Any, /) -> None:
        self._check()
        super().__setitem__(index, value)

    def __delitem__(self, index: SupportsIndex | slice, /) -> None:
        self._check()
        super().__delitem__(index)


class BlobVec(Vector[Blob]):
    """Blobs: the parameters of a layer, or all blobs of a net."""

    _told = False  # that values are copied, once in a process

    def __setitem__(self, index: Any, value: Any, /) -> None:
        """`net.params["ip"][0] = other.params["ip"][0]`: where it shows what a net has, the values are copied."""
        if not (self._fixed and isinstance(value, Blob) and not isinstance(index, slice)):
            super().__setitem__(index, value)
            return
        own = self[index]
        if own.shape != value.shape:
            raise UsageError(
                f"a blob of {shape_text(value.shape)} cannot take the place of one of {shape_text(own.shape)}"
            )
        own.data[...] = value.data
        if not BlobVec._told:
            BlobVec._told = True
            log.warning("a blob of a net is given the values of another; share_with lets nets follow each other")

    def add_blob(self, *shape: int) -> None:
        """Append a blob of this shape, of zeros."""
        self.append(Blob(shape))


class RawBlobVec(Vector[Blob]):
    """Blobs: the bottoms or tops of a layer."""


class LayerVec(Vector[Any]):
    """The layers of a net."""


class NetVec(Vector[Any]):
    """Nets: those that a solver tests."""


class StringVec(Vector[str]):
    """Names."""


class IntVec(Vector[int]):
    """Numbers of blobs."""


class DtypeVec(Vector[float]):
    """Loss weights."""


class BoolVec(Vector[bool]):
    """Yes or no, for each of something."""
