from __future__ import annotations

import numpy as np
import pytest

from brew import cuda
from brew.ops.take import add_rows, add_rows_cuda, take_rows, take_rows_cuda

random = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("height", "width", "numbers"),
    [
        (200_000, 2, random.choice([7, 65_536 + 7, 131_072, 199_999], 900)),  # alike in their lower 16 bits
        (3, 5, random.integers(0, 3, 1000)),
        (3, 70_000, np.array([2, 0, 2, 2])),
        (4, 300, np.arange(4)[::-1]),
        (1, 1, np.zeros(257, int)),
        (5, 3, np.zeros(0, int)),
    ],
)
def test_rows_are_taken_and_added(height, width, numbers, device):
    numbers = numbers.astype(np.int64)
    rows = random.standard_normal((len(numbers), width))
    out = random.standard_normal((height, width))
    expected = out.copy()
    np.add.at(expected, numbers, rows)
    taken = np.full_like(rows, np.nan)
    if device == "cpu":
        add_rows(rows, numbers, out, np.full_like(rows, np.nan))
        take_rows(out, numbers, taken)
    else:
        device_out, device_taken, device_numbers = (cuda.asarray(a) for a in (out, taken, numbers))
        add_rows_cuda(cuda.asarray(rows), device_numbers, device_out)
        take_rows_cuda(device_out, device_numbers, device_taken)
        out, taken = cuda.asnumpy(device_out), cuda.asnumpy(device_taken)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-12)
    assert (taken == out[numbers]).all()
