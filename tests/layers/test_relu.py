from __future__ import annotations

import numpy as np
import pytest

from brew.testing import check_gradient, run_layer

X = [[2.0, -4.0, 0.0]]
DY = [[1.0, 10.0, 100.0]]


@pytest.mark.parametrize("names", ["", 'bottom: "x" top: "x"'])
@pytest.mark.parametrize(
    ("fields", "y", "dx"),
    [
        ("", [2, 0, 0], [1, 0, 0]),
        ("negative_slope: 0.25", [2, -1, 0], [1, 2.5, 25]),
        ("negative_slope: -0.5", [2, 2, 0], [1, -5, -50]),
    ],
)
def test_worked_by_hand(names, fields, y, dx, device):
    run = run_layer(f'type: "ReLU" {names} relu_param {{ {fields} }}', [X], top_diffs=[DY], device=device)
    assert run.tops[0].tolist() == [y]
    assert run.bottom_diffs[0].tolist() == [dx]


@pytest.mark.parametrize("names", ["", 'bottom: "x" top: "x"'])
@pytest.mark.parametrize("slope", [0, 0.1, -0.1, 3])
def test_gradient(slope, names, device):
    random = np.random.default_rng(0)
    x = random.uniform(0.1, 1, (3, 4, 5000)) * random.choice([-1, 1], (3, 4, 5000))
    check_gradient(f'type: "ReLU" relu_param {{ negative_slope: {slope} }} {names}', [x], device=device)


def test_empty_batch(device):
    run = run_layer('type: "ReLU"', [np.ones((0, 3))], top_diffs=[np.ones((0, 3))], device=device)
    assert run.tops[0].shape == run.bottom_diffs[0].shape == (0, 3)
