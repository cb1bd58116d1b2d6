"""Blobs: named n-dimensional arrays with a gradient, on the host, on a device, or both.

Views stay true (DECISIONS 6): the first access to `data` or `diff` marks that memory *exposed*. On the CPU the view is
the memory. On CUDA an exposed memory has a host copy which is the truth between passes: the net uploads it before
a pass and refreshes it after; so too on the CPU where a memory has an engine's layout.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from brew import cuda, onednn
from brew.layer import Array, Shape, count, shape_text
from brew.layout import PLAIN

MAX_AXES = 32
_stamps = itertools.count(1)


class Memory:
    """Flat memory of one blob's data or gradient. Grows, never shrinks; zero when new."""

    def __init__(self, dtype: npt.DTypeLike, device: str, flat: Array | None = None) -> None:
        """`flat` is existing memory to live in (a piece of an arena), on `device`."""
        self.dtype = np.dtype(dtype)
        self.device = device
        self.exposed = False
        self.fixed = flat is not None
        self.tenants: WeakSet[Blob] = WeakSet()  # who has to know when it moves
        self.layout = PLAIN
        self._shape: Shape = ()  # of the last array or view
        self._host: npt.NDArray[Any] | None = flat if device == "cpu" else None
        self._home: Array | None = flat if device == "cuda" else None

    @property
    def mirrored(self) -> bool:
        """Whether layers work on other memory (`home`) than the host view: on CUDA, or in a layout of an engine's."""
        return self.device == "cuda" or self.layout != PLAIN

    @property
    def capacity(self) -> int:
        flat = self._home if self.mirrored else self._host
        return 0 if flat is None else int(flat.size)

    def reserve_for(self, shape: Shape) -> bool:
        """Make room for a blob of `shape` as it lies here; True when the memory moved."""
        return self.reserve(self.layout.size(shape))

    def reserve(self, size: int) -> bool:
        """Make room for `size` elements; True when the memory moved (its content is then zero)."""
        if size <= self.capacity:
            return False
        if self.fixed:
            raise ValueError(f"memory of {self.capacity} elements is part of an arena and cannot grow to {size}")
        moves = self.capacity > 0
        if not self.mirrored:
            self._host = np.zeros(size, self.dtype)
        else:
            self._home = cuda.zeros(size, self.dtype) if self.device == "cuda" else np.zeros(size, self.dtype)
            self._host, self.exposed = None, False
        for blob in self.tenants if moves else ():
            blob.stamp = next(_stamps)
        return True

    def array(self, shape: Shape) -> Array:
        """The first elements, on the memory's own device, as `shape` in its layout."""
        self.reserve_for(shape)
        self._shape, stored = shape, self.layout.stored(shape)
        flat = self._home if self.mirrored else self._host
        if flat is None:  # nothing was ever reserved: an empty shape
            return np.zeros(stored, self.dtype) if self.device == "cpu" else cuda.zeros(stored, self.dtype)
        return flat[: count(stored)].reshape(stored)

    def expose(self, shape: Shape) -> npt.NDArray[Any]:
        """A host view that stays true from now on."""
        self.reserve_for(shape)
        self._shape = shape
        if self._host is None:
            self._host = np.zeros(self.capacity, self.dtype)
        if not self.exposed:
            self.exposed = True
            self.download()
        return self._host[: count(shape)].reshape(shape)

    def host(self, shape: Shape) -> npt.NDArray[Any]:
        """The values, without exposing them: the memory itself on the CPU, a copy on CUDA."""
        if not self.mirrored:
            return self.array(shape)
        self.upload()  # what was written to the host view counts, though no pass has begun since
        if self.device == "cuda":
            return cuda.asnumpy(self.array(shape))
        values = np.empty(shape, self.dtype)
        onednn.copy(self.array(shape), self.layout, values, PLAIN, shape)()
        return values

    def upload(self) -> None:
        """Before a pass: what was written to the host view goes to where layers work."""
        if not self.exposed or self._home is None or self._host is None:
            return
        if self.device == "cuda":
            cuda.upload(self._home, self._host)
        elif self._shape:
            view = self._host[: count(self._shape)].reshape(self._shape)
            onednn.copy(view, PLAIN, self.array(self._shape), self.layout, self._shape)()

    def download(self) -> None:
        """After a pass: refresh the host view."""
        if not self.exposed or self._home is None or self._host is None:
            return
        if self.device == "cuda":
            cuda.download(self._home, self._host)
        elif self._shape:
            view = self._host[: count(self._shape)].reshape(self._shape)
            onednn.copy(self.array(self._shape), self.layout, view, PLAIN, self._shape)()


class Blob:
    """A named array and its gradient. `data` and `diff` are writable NumPy views of shape `shape`."""

    def __init__(
        self, shape: Sequence[int], dtype: npt.DTypeLike = np.float32, device: str = "cpu", name: str = ""
    ) -> None:
        self.name = name
        self.data_memory = Memory(dtype, device)
        self.diff_memory = Memory(dtype, device)
        self.data_memory.tenants.add(self)
        self.diff_memory.tenants.add(self)
        self._shape: Shape = ()
        self.stamp = 0  # changes whenever shape or memory do; nets compare it
        self.reshape(*shape)

    @property
    def shape(self) -> Shape:
        return self._shape

    @property
    def count(self) -> int:
        return count(self._shape)

    @property
    def data(self) -> npt.NDArray[Any]:
        return self.data_memory.expose(self._shape)

    @data.setter
    def data(self, value: npt.ArrayLike) -> None:
        self.data[...] = value

    @property
    def diff(self) -> npt.NDArray[Any]:
        return self.diff_memory.expose(self._shape)

    @diff.setter
    def diff(self, value: npt.ArrayLike) -> None:
        self.diff[...] = value

    def reshape(self, *shape: int) -> None:
        """Change the shape; memory grows when it must (earlier views then belong to the old memory)."""
        shape = tuple(int(n) for n in shape)
        if len(shape) > MAX_AXES or any(n < 0 for n in shape):
            raise ValueError(f"blob shape {shape_text(shape)}: at most {MAX_AXES} axes, none negative")
        if shape == self._shape and self.stamp:
            return
        for memory in (self.data_memory, self.diff_memory):
            if memory.capacity:  # memory that was never used stays unallocated
                memory.reserve_for(shape)
        self._shape = shape
        self.stamp = next(_stamps)

    def share(self, other: Blob, *, diff: bool) -> None:
        """Live in the memory of `other`: its data, and with `diff` its gradient."""
        self.data_memory = other.data_memory
        self.data_memory.tenants.add(self)
        if diff:
            self.diff_memory = other.diff_memory
            self.diff_memory.tenants.add(self)
        self.stamp = next(_stamps)

    # Caffe's names for the axes of blobs with at most four of them; a missing trailing axis counts as 1.

    def _legacy(self, axis: int) -> int:
        if len(self._shape) > 4:
            raise ValueError(f"num, channels, height, width need at most 4 axes, not {shape_text(self._shape)}")
        return self._shape[axis] if axis < len(self._shape) else 1

    @property
    def num(self) -> int:
        return self._legacy(0)

    @property
    def channels(self) -> int:
        return self._legacy(1)

    @property
    def height(self) -> int:
        return self._legacy(2)

    @property
    def width(self) -> int:
        return self._legacy(3)

    def __repr__(self) -> str:
        return f"<Blob {self.name!r} {shape_text(self._shape)}>"


class HostViews:
    """The host views of a net's blobs that live elsewhere (CUDA, an engine's layout): the truth between its passes."""

    def __init__(self, blobs: Sequence[Blob]) -> None:
        self._blobs = [blob for blob in blobs if blob.data_memory.mirrored]

    def upload(self) -> None:
        """Before a pass: give the device what was written to them."""
        for memory in self._exposed():
            memory.upload()

    def download(self) -> None:
        """After a pass: refresh them."""
        for memory in self._exposed():
            memory.download()

    def _exposed(self) -> Iterable[Memory]:
        """Every memory that has a host view of its own, once."""
        pairs = ((blob.data_memory, blob.diff_memory) for blob in self._blobs)
        return {id(m): m for pair in pairs for m in pair if m.exposed}.values()
