"""TEST EQUIPMENT. "Device" memory and its arrays: NumPy's storage, behind a face as narrow as brew/cuda/device.py's use."""

from __future__ import annotations

import bisect
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

SHADOW_BYTES = 32  # sizeof(Shadow) in runtime.h


class Allocation:
    """One block of memory, known by address, with a shadow per element once a kernel has touched it."""

    def __init__(self, nbytes: int, itemsize: int) -> None:
        self.nbytes = nbytes
        self.itemsize = itemsize
        self.bytes = np.empty(max(nbytes, 1), np.uint8)
        self.bytes.fill(0xFF)  # NaN, -1, huge: what was not written shows
        self.pointer = self.bytes.ctypes.data
        self._shadow: npt.NDArray[np.uint8] | None = None
        _live[self.pointer] = self
        bisect.insort(_addresses, self.pointer)
        weakref.finalize(self, _forget, self.pointer)

    @property
    def shadow(self) -> npt.NDArray[np.uint8]:
        if self._shadow is None:
            self._shadow = np.zeros(max(self.nbytes // self.itemsize, 1) * SHADOW_BYTES, np.uint8)
        return self._shadow

    def clear_shadow(self) -> None:
        self._shadow = None


_live: weakref.WeakValueDictionary[int, Allocation] = weakref.WeakValueDictionary()
_addresses: list[int] = []


def _forget(pointer: int) -> None:
    i = bisect.bisect_left(_addresses, pointer)
    if i < len(_addresses) and _addresses[i] == pointer and pointer not in _live:
        del _addresses[i]


def clear_shadows() -> None:
    """Forget all accesses of all launches (the stamps start again)."""
    for allocation in list(_live.values()):
        allocation.clear_shadow()


def used_bytes() -> int:
    return sum(a.nbytes for a in list(_live.values()))


def region(pointer: int, nbytes: int, what: str) -> npt.NDArray[np.uint8]:
    """The bytes from `pointer` on, which must lie within one live allocation."""
    i = bisect.bisect_right(_addresses, pointer) - 1
    owner = _live.get(_addresses[i]) if i >= 0 else None
    if owner is None or pointer >= owner.pointer + max(owner.nbytes, 1):
        raise MemoryError(f"{what}: 0x{pointer:x} is no live device memory")
    start = pointer - owner.pointer
    if start + nbytes > owner.nbytes:
        raise MemoryError(f"{what}: {nbytes} bytes from byte {start} of an allocation of {owner.nbytes}")
    return owner.bytes[start : start + nbytes]


class _Flags:
    def __init__(self, values: npt.NDArray[Any]) -> None:
        self.c_contiguous = values.flags.c_contiguous


class _Pointer:
    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


class ndarray:
    """A device array. No NumPy array, and NumPy will not take it for one."""

    __array_ufunc__ = None

    def __init__(self, allocation: Allocation, values: npt.NDArray[Any]) -> None:
        self.allocation = allocation
        self._values = values

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a device array does not become a NumPy array by itself; download it")

    __cuda_array_interface__ = property(lambda self: {**self._values.__array_interface__, "version": 3})
    shape = property(lambda self: self._values.shape)
    dtype = property(lambda self: self._values.dtype)
    size = property(lambda self: self._values.size)
    ndim = property(lambda self: self._values.ndim)
    nbytes = property(lambda self: self._values.nbytes)
    itemsize = property(lambda self: self._values.itemsize)
    flags = property(lambda self: _Flags(self._values))
    data = property(lambda self: _Pointer(self._values.__array_interface__["data"][0]))

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<device array {self.shape} {self.dtype}>"

    def reshape(self, *shape: Any) -> ndarray:
        values = self._values.reshape(*shape)
        if values.size and not np.may_share_memory(values, self._values):
            return asarray(values)
        return ndarray(self.allocation, values)

    def ravel(self) -> ndarray:
        return self.reshape(-1)

    def fill(self, value: Any) -> None:
        self._values.fill(value)

    def set(self, host: npt.NDArray[Any], stream: Any = None) -> None:
        if not isinstance(host, np.ndarray):
            raise TypeError(f"set() takes a NumPy array, not {type(host).__name__}")
        if (host.dtype, host.shape) != (self.dtype, self.shape):
            raise TypeError(f"set() of {host.dtype} {host.shape} into {self.dtype} {self.shape}")
        self._values[...] = host

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> npt.NDArray[Any]:
        if out is None:
            return np.array(self._values, order="C")
        if not isinstance(out, np.ndarray):
            raise TypeError(f"get() writes to a NumPy array, not {type(out).__name__}")
        if (out.dtype, out.shape) != (self.dtype, self.shape) or not out.flags.c_contiguous:
            raise ValueError(f"get() of {self.dtype} {self.shape} into {out.dtype} {out.shape}")
        out[...] = self._values
        return out

    def __getitem__(self, index: Any) -> ndarray:
        _check_basic(index)
        return ndarray(self.allocation, self._values[index if isinstance(index, tuple) else (index, ...)])

    def __setitem__(self, index: Any, value: Any) -> None:
        _check_basic(index)
        if isinstance(value, ndarray):
            value = value._values
        elif not np.isscalar(value):
            raise TypeError(f"{type(value).__name__} cannot be assigned to a device array")
        self._values[index] = value


def _check_basic(index: Any) -> None:
    parts = index if isinstance(index, tuple) else (index,)
    for part in parts:
        if not (part is None or part is Ellipsis or isinstance(part, int | np.integer | slice)):
            raise TypeError(f"only slices, not {part!r}, index a device array here")


def empty(shape: Any, dtype: npt.DTypeLike = float) -> ndarray:
    """An array of bytes 0xFF: NaN in the float types."""
    kind = np.dtype(dtype)
    size = int(np.prod(shape, dtype=np.int64))
    allocation = Allocation(size * kind.itemsize, kind.itemsize)
    values = allocation.bytes[: size * kind.itemsize].view(kind).reshape(shape)
    return ndarray(allocation, values)


def zeros(shape: Any, dtype: npt.DTypeLike = float) -> ndarray:
    array = empty(shape, dtype)
    array.fill(0)
    return array


def asarray(value: Any, dtype: npt.DTypeLike | None = None) -> ndarray:
    if isinstance(value, ndarray):
        return value
    host = np.asarray(value, dtype)
    array = empty(host.shape, host.dtype)
    array._values[...] = host
    return array


def asnumpy(array: ndarray) -> npt.NDArray[Any]:
    return array.get()
