"""A GPU that is full is a ResourceError with what to do, whatever CuPy calls it."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_host import fake_cupy, host_cuda

from brew import cuda
from brew.errors import ResourceError


class OutOfMemoryError(Exception):
    pass


@pytest.mark.parametrize("make", ["empty", "zeros"])
def test_no_room_on_the_device(make: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OutOfMemoryError("Out of memory allocating 4,000 bytes")

    with host_cuda(seed=1):
        monkeypatch.setattr(fake_cupy, make, full)
        with pytest.raises(ResourceError, match="no room for 4000 bytes more") as caught:
            getattr(cuda, make)((10, 100), np.float32)
    assert caught.value.exit_code == 7 and "batch_size" in str(caught.value)
