"""Blobs: named n-dimensional arrays with a gradient, on the host, on a device, or both.

Host views stay valid: the first access to `data` or `diff` exposes that memory. Where it is mirrored, the host view
counts between passes: the net uploads it before a pass and refreshes it after.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from weakref import WeakSet

import numpy as np
import numpy.typing as npt

from brew import cuda
from brew.layer import Array, Shape, count, shape_text, sizes
from brew.layer.layout import PLAIN, Layout

from .arena import Lease
from .exchange import Exchanged
from .given import GivenViews
from .stamps import Stamps

log = logging.getLogger("brew")

# (source, its layout, target, its layout, shape): a call that copies a blob of `shape` from one layout to the other.
Converter: TypeAlias = Callable[[Array, Layout, Array, Layout, Shape], Callable[[], None]]


class Memory:
    """Flat memory of one blob's data or gradient (its words: brew.memory). Grows, never shrinks; zero when new.

    `most`: the most elements it was ever asked for. `tenants`: the blobs that live in it; moving changes their stamps.
    """

    def __init__(
        self, dtype: npt.DTypeLike, device: str, flat: Array | None = None, stamps: Stamps | None = None
    ) -> None:
        """`flat` is memory to live in (a parameter's), on `device`; `stamps` are the net's, if any."""
        self.dtype = np.dtype(dtype)
        self.device = device
        self.stamps = stamps or Stamps()
        self.exposed = self.resting = False
        self.fixed = flat is not None
        self.lease: Lease | None = None
        self.permanent = self.fixed
        self.most = 0
        self.tenants: WeakSet[Blob] = WeakSet()
        self.layout = PLAIN
        self._converter: Converter | None = None  # where it is not plain
        self._shape: Shape = ()  # of the last array or view
        self._host: npt.NDArray[Any] | None = flat if device == "cpu" else None
        self._home: Array | None = flat if device == "cuda" else None  # where layers work, if it is mirrored
        self.given = GivenViews()

    def lie(self, layout: Layout, converter: Converter) -> None:
        """Use `layout` from now on; nothing may be allocated yet. `converter` makes conversions for the host view."""
        self.layout, self._converter = layout, converter

    @property
    def mirrored(self) -> bool:
        """Whether layers work elsewhere than on the host view: on CUDA, or in an engine's layout."""
        return self.device == "cuda" or self.layout != PLAIN

    @property
    def capacity(self) -> int:
        """The elements it has now."""
        flat = self._home if self.mirrored else self._host
        return 0 if flat is None else int(flat.size)

    def reserve_for(self, shape: Shape) -> bool:
        """Make room for a blob of `shape` in this layout; True when the memory moved."""
        return self.reserve(self.layout.size(shape))

    def reserve(self, size: int) -> bool:
        """Make room for `size` elements; True when the memory moved (its content is then zero)."""
        self.most = max(self.most, size)
        if size <= self.capacity:
            return False
        if self.fixed:
            raise ValueError(f"a parameter's memory of {self.capacity} elements is fixed and cannot grow to {size}")
        self.leave()
        moves = self.capacity > 0
        if not self.mirrored:
            self._host = np.zeros(size, self.dtype)
        else:
            self._home = cuda.zeros(size, self.dtype) if self.device == "cuda" else np.zeros(size, self.dtype)
            self._host, self.exposed, self.resting = None, False, False
        if moves:
            self._mark_moved()
        return True

    def _mark_moved(self) -> None:
        for blob in self.tenants:
            blob.stamp = blob.stamps.changed()

    def fit(self, shape: Shape) -> None:
        """Make room for a blob of `shape` where memory is allocated; a lease that is too small ends."""
        size = self.layout.size(shape)
        self.most = max(self.most, size)
        if self.lease is None and self.capacity:
            self.reserve(size)
        elif size > self.capacity:
            self.leave()

    def lend(self, lease: Lease) -> None:
        """Live on `lease` from now on."""
        self.lease = lease
        self._live_in(lease.flat())

    def leave(self) -> None:
        """Give up a lease that has become too small, if there is one."""
        if self.lease is not None:
            self.lease.outgrown()
            self.lease = None
            self._live_in(None)

    def _live_in(self, flat: Array | None) -> None:
        if self.mirrored:
            self._home = flat
        else:
            self._host = flat
        self._mark_moved()

    def move_out(self, name: str) -> None:
        """Leave the lease and be permanent: with the values, or zeros and a warning where they are overwritten."""
        lease, self.permanent = self.lease, True
        if lease is None:
            return
        shared = lease.flat()
        own = cuda.zeros(shared.size, self.dtype) if self.device == "cuda" else np.zeros(shared.size, self.dtype)
        if lease.intact:
            (cuda.copy if self.device == "cuda" else np.copyto)(own, shared)
        elif lease.used:
            log.warning('"%s" is not in keep=[...]: its values are overwritten, and there from the next pass on', name)
        self.lease = None
        self._live_in(own)

    def array(self, shape: Shape) -> Array:
        """The first elements, on the memory's own device, as `shape` in its layout."""
        self.reserve_for(shape)
        self._shape, stored = shape, self.layout.stored(shape)
        flat = self._home if self.mirrored else self._host
        if flat is None:  # nothing was ever reserved: an empty shape
            return np.zeros(stored, self.dtype) if self.device == "cpu" else cuda.zeros(stored, self.dtype)
        return flat[: count(stored)].reshape(stored)

    def expose(self, shape: Shape, name: str) -> npt.NDArray[Any]:
        """A host view that stays valid from now on; `name` is the blob's, for messages."""
        if not self.exposed or self.resting or self._shape != shape or self._host is None:
            self._uncover(shape, name)
        assert self._host is not None
        return self.given.view(self._host, shape)

    def _uncover(self, shape: Shape, name: str) -> None:
        self.move_out(name)
        self.reserve_for(shape)
        self._shape = shape
        if self._host is None:
            self._host = np.zeros(self.capacity, self.dtype)
        if not self.exposed or self.resting:
            self.exposed, self.resting = True, False
            self.stamps.changed()
            self.download()

    def rest(self) -> None:
        """Keep the host view up to date no more, until it is asked for again."""
        self.resting = True
        self.stamps.changed()

    def _view(self, host: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return host[: count(self._shape)].reshape(self._shape)

    def host(self, shape: Shape) -> npt.NDArray[Any]:
        """The values, without exposing them: the memory itself on the CPU, a copy on CUDA."""
        if not self.mirrored:
            return self.array(shape)
        self.upload()  # with what was written to the host view
        if self.device == "cuda":
            return cuda.asnumpy(self.array(shape))
        values = np.empty(shape, self.dtype)
        self._convert(self.array(shape), self.layout, values, PLAIN)
        return values

    def address(self, shape: Shape) -> int:
        """Where the elements lie on CUDA, AttributeError elsewhere; a host view overwrites them before each pass."""
        if self.device != "cuda":
            raise AttributeError("a blob on the CPU has no GPU pointer")
        self.upload()
        return cuda.address(self.array(shape))

    def _convert(self, source: Array, from_layout: Layout, target: Array, to_layout: Layout) -> None:
        assert self._converter is not None
        self._converter(source, from_layout, target, to_layout, self._shape)()

    def upload(self) -> None:
        """Before a pass: copy the host view to the memory that layers work on."""
        if not self.exposed or self.resting or self._home is None or self._host is None:
            return
        if self.device == "cuda":
            cuda.upload(self._home, self._host)
        elif self._shape:
            self._convert(self._view(self._host), PLAIN, self.array(self._shape), self.layout)

    def download(self) -> None:
        """After a pass: refresh the host view."""
        if not self.exposed or self.resting or self._home is None or self._host is None:
            return
        if self.device == "cuda":
            cuda.download(self._home, self._host)
        elif self._shape:
            self._convert(self.array(self._shape), self.layout, self._view(self._host), PLAIN)


class Blob(Exchanged):
    """A named array and its gradient. `data` and `diff` are its host views: writable NumPy arrays of shape `shape`.

    `stamp` changes with the shape and when a memory moves. Where this is an older version of its name (graph.versions),
    `shown` is the blob of the newest, which the caller sees.
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: npt.DTypeLike = np.float32,
        device: str = "cpu",
        name: str = "",
        stamps: Stamps | None = None,
    ) -> None:
        """`stamps` are those of the net that the blob belongs to; without a net it has its own."""
        self.name = name
        self.stamps = stamps or Stamps()
        self.data_memory = Memory(dtype, device, stamps=self.stamps)
        self.diff_memory = Memory(dtype, device, stamps=self.stamps)
        self.data_memory.tenants.add(self)
        self.diff_memory.tenants.add(self)
        self.shown: Blob | None = None
        self.shows_gradient = False
        self._shape: Shape = ()
        self.stamp = 0
        self.reshape(*shape)

    @property
    def shape(self) -> Shape:
        return self._shape

    @property
    def count(self) -> int:
        """Its elements."""
        return count(self._shape)

    @property
    def data(self) -> npt.NDArray[Any]:
        return self.data_memory.expose(self._shape, self.name)

    @data.setter
    def data(self, value: npt.ArrayLike) -> None:
        self.data[...] = value

    @property
    def diff(self) -> npt.NDArray[Any]:
        return self.diff_memory.expose(self._shape, f"{self.name}, the gradient")

    @diff.setter
    def diff(self, value: npt.ArrayLike) -> None:
        self.diff[...] = value

    def reshape(self, *shape: int) -> None:
        """Change the shape; a memory grows when it must (earlier host views then belong to the old one)."""
        shape = tuple(int(n) for n in shape)
        if fault := sizes.fault(shape):
            raise ValueError(f"blob shape {shape_text(shape)}: {fault}")
        if shape == self._shape and self.stamp:
            return
        for memory in (self.data_memory, self.diff_memory):
            memory.fit(shape)
        self._shape = shape
        self.stamp = self.stamps.changed()

    def share(self, other: Blob, *, diff: bool) -> None:
        """Live in the memory of `other`: its data, and with `diff` its gradient."""
        self.data_memory = other.data_memory
        self.data_memory.tenants.add(self)
        if diff:
            self.diff_memory = other.diff_memory
            self.diff_memory.tenants.add(self)
        self.stamp = self.stamps.changed()

    @property
    def _gpu_data_ptr(self) -> int:  # pycaffe's name
        return self.data_memory.address(self._shape)

    @property
    def _gpu_diff_ptr(self) -> int:
        return self.diff_memory.address(self._shape)

    def __repr__(self) -> str:
        return f"<Blob {self.name!r} {shape_text(self._shape)}>"
