"""TEST EQUIPMENT. The names of CuPy that brew/cuda/device.py uses, and no others."""

from __future__ import annotations

from typing import Any

from . import memory
from .kernel import RawModule
from .memory import asarray, asnumpy, empty, ndarray, zeros

__all__ = ["RawModule", "asarray", "asnumpy", "cuda", "empty", "get_default_memory_pool", "ndarray", "zeros"]


class _Runtime:
    memcpyHostToDevice = 1
    memcpyDeviceToHost = 2
    memcpyDeviceToDevice = 3

    def getDeviceCount(self) -> int:
        return 1

    def getDeviceProperties(self, number: int) -> dict[str, Any]:
        _check_device(number)
        return {"name": b"host-run kernels", "totalGlobalMem": 8 << 30, "major": 9, "minor": 0,
                "multiProcessorCount": 1, "clockRate": 0, "maxThreadsPerBlock": 1024}  # fmt: skip

    def memGetInfo(self) -> tuple[int, int]:
        return (8 << 30) - memory.used_bytes(), 8 << 30

    def driverGetVersion(self) -> int:
        return 13000

    def runtimeGetVersion(self) -> int:
        return 13000

    def deviceSynchronize(self) -> None:
        pass

    def memcpyAsync(self, to: int, source: int, nbytes: int, kind: int, stream: int) -> None:
        if kind != self.memcpyDeviceToDevice:
            raise ValueError(f"memcpyAsync of kind {kind} is not stood in for")
        taken = memory.region(source, nbytes, "memcpyAsync from")
        given = memory.region(to, nbytes, "memcpyAsync to")
        if source != to and abs(source - to) < nbytes:
            raise ValueError("memcpyAsync between ranges that overlap")
        given[...] = taken

    def memsetAsync(self, to: int, value: int, nbytes: int, stream: int) -> None:
        memory.region(to, nbytes, "memsetAsync")[...] = value


class _Stream:
    ptr = 0

    def synchronize(self) -> None:
        pass


class _Device:
    def __init__(self, number: int = 0) -> None:
        _check_device(number)
        self.id = number
        self.compute_capability = "90"

    def use(self) -> None:
        pass

    def synchronize(self) -> None:
        pass

    def __enter__(self) -> _Device:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _DeviceModule:
    def get_cublas_handle(self) -> int:
        return 1


class _Cuda:
    runtime = _Runtime()
    device = _DeviceModule()
    Device = _Device

    def get_current_stream(self) -> _Stream:
        return _Stream()


class _Pool:
    def used_bytes(self) -> int:
        return memory.used_bytes()

    def total_bytes(self) -> int:
        return memory.used_bytes()

    def free_all_blocks(self) -> None:
        pass


def get_default_memory_pool() -> _Pool:
    return _Pool()


def _check_device(number: int) -> None:
    if number != 0:
        raise RuntimeError(f"cudaErrorInvalidDevice: {number}")


cuda = _Cuda()
