from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)


@pytest.mark.parametrize("names", ["", 'bottom: "x" top: "x"'])
def test_worked_by_hand(names, device):
    x = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 2.0]]) + np.array([[1000], [-1000]])  # the shift must not matter
    run = run_layer(f'type: "Softmax" {names}', [x], top_diffs=[[[1, 0, 0], [0, 0, 8]]], device=device)
    np.testing.assert_allclose(run.tops[0], [[0.125, 0.25, 0.625], [0.375, 0.375, 0.25]], rtol=1e-4)
    dx = [[0.109375, -0.03125, -0.078125], [-0.75, -0.75, 1.5]]  # y * (dy - sum of y * dy)
    np.testing.assert_allclose(run.bottom_diffs[0], dx, rtol=2e-4)


@pytest.mark.parametrize("shape", [(2, 300), (3, 4, 7, 5), (2, 3, 40), (2, 1, 3), (0, 3)])
def test_gradient(shape, device):
    check_gradient('type: "Softmax"', [random.standard_normal(shape)], device=device)


@pytest.mark.parametrize("axis", [0, 2, -2])
def test_axis(axis, device):
    x = random.standard_normal((3, 4, 5))
    y = run_layer(f'type: "Softmax" softmax_param {{ axis: {axis} }}', [x], device=device).tops[0]
    np.testing.assert_allclose(y, np.exp(x) / np.exp(x).sum(axis, keepdims=True), rtol=1e-5)


def test_errors():
    with pytest.raises(NetError, match=r"axis 1 is out of range for 1 axes \(-1 to 0\): is the bottom a label"):
        run_layer('type: "Softmax"', [np.ones(3)])
    with pytest.raises(NetError, match=r"expects at least one value along the axis; .* 3 x 0"):
        run_layer('type: "Softmax"', [np.ones((3, 0))])
