"""TEST EQUIPMENT, no part of Brew: runs Brew's CUDA path on a machine without a GPU, and distrusts every kernel.

The kernels' own source is compiled by the system's C++ compiler behind `device.h`, which supplies CUDA's names.
Pointers become checked ones (`rewrite.py`, `checked.h`): each load and store is held against the array's bounds and
against what other threads did to the same element since the last barrier (`races.cpp`). Threads that meet at
barriers or in warps run as fibers in seeded random order (`fibers.cpp`). `fake_cupy` and `fake_cublas` stand in for
the CuPy names that brew/cuda/device.py uses; their arrays are not NumPy's, so that an accidental NumPy call on a device
array fails here too.

    with host_cuda(seed=1): ...       # brew.cuda answers as if a device were there
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from brew import cuda

from . import fake_cublas, fake_cupy
from .kernel import KernelError, schedule
from .rewrite import RewriteError

__all__ = ["KernelError", "RewriteError", "host_cuda"]


@contextmanager
def host_cuda(seed: int = 1701) -> Iterator[None]:
    """Put the stand-ins behind brew.cuda's door; `seed` decides the order of blocks and threads."""
    with schedule(seed), cuda.install(fake_cupy, fake_cublas):
        yield
