"""Fixtures for every test. `device` runs a test on the CPU and on CUDA: a real GPU where there is one, else the
kernels compiled for the host (tests/cuda_host, test equipment)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests/cuda_host is imported as `cuda_host`


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> Iterator[str]:
    """The CPU and CUDA in turn."""
    if request.param == "cpu":
        yield "cpu"
        return
    from brew import cuda

    if cuda.why_not() is None:
        yield "cuda"
        return
    from cuda_host import host_cuda

    with host_cuda(seed=1701):
        yield "cuda"
