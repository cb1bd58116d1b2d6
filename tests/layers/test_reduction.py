from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
X = np.array([[1.0, -2.0, 4.0], [0.0, -1.0, 2.0]])


def reduction(fields):
    return f'type: "Reduction" reduction_param {{ {fields} }}'


@pytest.mark.parametrize(
    ("operation", "y", "dx"),
    [
        ("SUM", [6, 2], [[2, 2, 2], [20, 20, 20]]),
        ("ASUM", [14, 6], [[2, -2, 2], [0, -20, 20]]),
        ("SUMSQ", [42, 10], [[4, -8, 16], [0, -40, 80]]),
        ("MEAN", [2, 2 / 3], [[2 / 3] * 3, [20 / 3] * 3]),
    ],
)
def test_worked_by_hand(operation, y, dx, device):
    run = run_layer(reduction(f"operation: {operation} axis: 1 coeff: 2"), [X], top_diffs=[[1, 10]], device=device)
    np.testing.assert_allclose(run.tops[0], y, rtol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[0], dx, rtol=1e-6)


@pytest.mark.parametrize("operation", ["SUM", "ASUM", "SUMSQ", "MEAN"])
@pytest.mark.parametrize("shape", [(3,), (1, 1), (3, 4, 5), (2, 3, 50), (2, 130, 130), (40000, 2)])
def test_gradient(shape, operation, device):
    x = random.uniform(0.1, 1, shape) * random.choice([-1, 1], shape)
    for axis in {0, len(shape) - 1, -1}:
        text = reduction(f"operation: {operation} axis: {axis} coeff: 1.7")
        assert run_layer(text, [x], device=device).tops[0].shape == shape[: axis % len(shape)]
        check_gradient(text, [x], device=device)


@pytest.mark.parametrize("operation", ["SUM", "ASUM", "SUMSQ", "MEAN"])
@pytest.mark.parametrize(("shape", "axis"), [((0, 3), 1), ((0, 3), 0), ((3, 0), 1)])
def test_empty(shape, axis, operation, device):
    top = shape[:axis]
    text = reduction(f"operation: {operation} axis: {axis}")
    run = run_layer(text, [np.ones(shape)], top_diffs=[np.ones(top)], device=device)
    assert run.tops[0].shape == top and not run.tops[0].any()
    assert run.bottom_diffs[0].shape == shape


def test_large_sums_are_good_to_six_digits(device):
    x = random.uniform(0, 1, 300_000)
    for operation, expected in (("SUM", x.sum()), ("ASUM", x.sum()), ("SUMSQ", (x * x).sum())):
        y = run_layer(reduction(f"operation: {operation}"), [x], device=device).tops[0]
        np.testing.assert_allclose(y, expected, rtol=2e-6)


def test_axis_out_of_range():
    with pytest.raises(NetError, match="axis 2 is out of range for 2 axes"):
        run_layer(reduction("axis: 2"), [X])
    with pytest.raises(NetError, match="axis 0 is out of range for 0 axes"):
        run_layer(reduction(""), [1.0])
