"""CuPy itself: loaded at first use, or the reason it cannot be. Only brew.cuda and its parts come here."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from brew.errors import DeviceError

_EXTRA = 'pip install "brew-caffe[cuda13]" (or [cuda12] for drivers older than 580)'

_DRIVER = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"


class _Door:
    """The modules behind the door: CuPy and its cuBLAS binding, or what a test installs in their place."""

    cupy: Any = None
    cublas: Any = None
    failure: str | None = None


_when_changed: list[Callable[[], None]] = []


def cupy() -> Any:
    """CuPy, or DeviceError saying why it cannot be used."""
    if _Door.cupy is None:
        if _Door.failure is None:
            _load()
        if _Door.failure is not None:
            raise DeviceError(f"no usable GPU: {_Door.failure}")
    return _Door.cupy


def cublas() -> Any:
    """CuPy's binding of cuBLAS."""
    cupy()
    return _Door.cublas


def why_not() -> str | None:
    """None when a GPU can be used, else the reason it cannot."""
    try:
        cupy()
    except DeviceError:
        return _Door.failure
    return None


def _load() -> None:
    if "cupy" not in sys.modules and importlib.util.find_spec("cupy") is not None and not _has_driver():
        _Door.failure = f"the CUDA driver is not installed ({_DRIVER} cannot be loaded)"
        return
    try:
        module = importlib.import_module("cupy")
    except ImportError as error:
        _Door.failure = f"CuPy is not installed ({error}); {_EXTRA}"
        return
    try:
        devices = module.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises its runtime's own classes, which only CuPy names
        _Door.failure = f"the CUDA driver does not answer ({error})"
        return
    if devices == 0:
        _Door.failure = "the driver sees no device"
        return
    try:
        cublas = importlib.import_module("cupy_backends.cuda.libs.cublas")
    except ImportError as error:
        _Door.failure = f"cuBLAS cannot be loaded ({error}); {_EXTRA}"
        return
    _Door.cupy, _Door.cublas = module, cublas


def _has_driver() -> bool:
    """Whether the library is there that the CUDA runtime looks for itself: found out long before CuPy is imported."""
    try:
        ctypes.CDLL(_DRIVER)
    except OSError:
        return False
    return True


@contextmanager
def install(cupy: Any, cublas: Any) -> Iterator[None]:
    """Put stand-ins for CuPy and its cuBLAS binding behind the door, for the length of a `with`."""
    before = _Door.cupy, _Door.cublas, _Door.failure
    _Door.cupy, _Door.cublas, _Door.failure = cupy, cublas, None
    _tell()
    try:
        yield
    finally:
        _Door.cupy, _Door.cublas, _Door.failure = before
        _tell()


def when_changed(callback: Callable[[], None]) -> None:
    """Call `callback` whenever what stands behind the door changes: compiled things are then void."""
    _when_changed.append(callback)


def _tell() -> None:
    for callback in _when_changed:
        callback()
