"""The one door to CUDA: devices, arrays, kernel launches, GEMM. Importable without a GPU and without CuPy.

`Kernels` (kernels.py) compiles and launches, `gemm` (gemm.py) is cuBLAS, `install` puts a test's stand-in
in CuPy's place (brew/cuda/door.py). Here are devices and arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from brew.errors import DeviceError, ResourceError

from .door import cupy as _cupy
from .door import install, why_not
from .gemm import gemm
from .kernels import PRELUDE, THREADS, Kernel, Kernels, check_contiguous

__all__ = [
    "PRELUDE",
    "THREADS",
    "Array",
    "Kernel",
    "Kernels",
    "asarray",
    "asnumpy",
    "copy",
    "current_device",
    "device_count",
    "device_properties",
    "download",
    "empty",
    "gemm",
    "install",
    "on_device",
    "synchronize",
    "upload",
    "use_device",
    "why_not",
    "wrap",
    "zero",
    "zeros",
]

Array = npt.NDArray[Any]  # a CuPy array; CuPy has no usable stubs


def device_count() -> int:
    """Number of usable devices; 0 without CuPy or driver."""
    return 0 if why_not() else int(_cupy().cuda.runtime.getDeviceCount())


def use_device(number: int) -> None:
    """Make device `number` the current one of this thread."""
    have = int(_cupy().cuda.runtime.getDeviceCount())
    if not 0 <= number < have:
        raise DeviceError(f"GPU {number} was asked for; this machine has {have} (0 to {have - 1})")
    _cupy().cuda.Device(number).use()


def current_device() -> int:
    """The number of this thread's device."""
    return int(_cupy().cuda.Device().id)


@contextmanager
def on_device(number: int) -> Iterator[None]:
    """Inside, device `number` is the current one of this thread; DeviceError where there is none of that number."""
    have = device_count()
    if not 0 <= number < have:
        raise DeviceError(f"GPU {number} was asked for; this machine has {have}", hint=why_not())
    with _cupy().cuda.Device(number):
        yield


def device_properties(number: int) -> dict[str, Any]:
    """The CUDA runtime's properties of device `number`."""
    return dict(_cupy().cuda.runtime.getDeviceProperties(number))


def synchronize() -> None:
    """Wait for everything launched on the current stream."""
    _cupy().cuda.get_current_stream().synchronize()


def empty(shape: Sequence[int] | int, dtype: npt.DTypeLike) -> Array:
    """An uninitialised device array; ResourceError when the device has no room."""
    return _allocated("empty", shape, dtype)


def zeros(shape: Sequence[int] | int, dtype: npt.DTypeLike) -> Array:
    """A device array of zeros; ResourceError when the device has no room."""
    return _allocated("zeros", shape, dtype)


def _allocated(make: str, shape: Sequence[int] | int, dtype: npt.DTypeLike) -> Array:
    try:
        array: Array = getattr(_cupy(), make)(shape, dtype)
    except Exception as error:
        if type(error).__name__ != "OutOfMemoryError":  # CuPy's own class, which only CuPy can name
            raise
        size = shape if isinstance(shape, int) else math.prod(shape)
        raise ResourceError(
            f"the GPU has no room for {size * np.dtype(dtype).itemsize} bytes more",
            hint="a smaller batch_size, with iter_size for the same effective batch, needs less",
        ) from error
    return array


def asarray(host: npt.ArrayLike) -> Array:
    """A device copy of a host array."""
    array: Array = _cupy().asarray(np.ascontiguousarray(host))
    return array


def wrap(value: object) -> Array:
    """A device array in the memory of `value`, which has a `__cuda_array_interface__`."""
    array: Array = _cupy().asarray(value)
    return array


def upload(device: Array, host: npt.NDArray[Any]) -> None:
    """Copy a host array of the same shape and type into a device array."""
    device.set(np.ascontiguousarray(host, dtype=device.dtype).reshape(device.shape))  # type: ignore[attr-defined]


def download(device: Array, host: npt.NDArray[Any]) -> None:
    """Copy a device array into a contiguous host array of the same shape and type."""
    device.get(out=host)  # type: ignore[attr-defined]


def asnumpy(device: Array) -> npt.NDArray[Any]:
    """A host copy of a device array."""
    host: npt.NDArray[Any] = device.get()  # type: ignore[attr-defined]
    return host


def address(array: Array) -> int:
    """Where a device array begins."""
    return int(array.data.ptr)  # type: ignore[attr-defined]


def copied(source: Array) -> Array:
    """A new device array with the same values."""
    copy(array := empty(source.shape, source.dtype), source)
    return array


def copy(destination: Array, source: Array) -> None:
    """Device-to-device copy of contiguous arrays of the same number of bytes."""
    check_contiguous("copy", destination, source)
    if destination.nbytes != source.nbytes:
        raise ValueError(f"copy: {source.nbytes} bytes into {destination.nbytes}")
    same = destination.data.ptr == source.data.ptr  # type: ignore[attr-defined]
    if source.nbytes and not same:
        runtime = _cupy().cuda.runtime
        stream = _cupy().cuda.get_current_stream().ptr
        runtime.memcpyAsync(
            destination.data.ptr,  # type: ignore[attr-defined]
            source.data.ptr,  # type: ignore[attr-defined]
            source.nbytes,
            runtime.memcpyDeviceToDevice,
            stream,
        )


def zero(array: Array) -> None:
    """Set every byte of a contiguous device array to zero."""
    check_contiguous("zero", array)
    if array.nbytes:
        stream = _cupy().cuda.get_current_stream().ptr
        _cupy().cuda.runtime.memsetAsync(array.data.ptr, 0, array.nbytes, stream)  # type: ignore[attr-defined]
