from __future__ import annotations

import numpy as np
import pytest

from brew.testing import check_gradient, run_layer

IN_PLACE = 'bottom: "x" top: "x"'


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize(
    ("fields", "y", "dx"),
    [
        ("", [1, 4], [1, 10]),
        ("scale: 3 shift: -1", [2, 11], [3, 30]),
        ("power: 2 scale: 3 shift: -1", [4, 121], [12, 660]),
        ("power: 0.5", [1, 2], [0.5, 2.5]),
        ("power: -1 scale: 2", [0.5, 0.125], [-0.5, -0.3125]),
        ("power: 3", [1, 64], [3, 480]),
        ("power: 0 scale: 2 shift: 3", [1, 1], [0, 0]),
        ("power: 3 scale: 0 shift: 2", [8, 8], [0, 0]),
        ("power: -1 scale: 0", [np.inf, np.inf], [0, 0]),
    ],
)
def test_worked_by_hand(names, fields, y, dx, device):
    text = f'type: "Power" power_param {{ {fields} }} {names}'
    run = run_layer(text, [[1.0, 4.0]], top_diffs=[[1, 10]], device=device)
    np.testing.assert_allclose(run.tops[0], y, rtol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[0], dx, rtol=1e-6)


def test_a_constant_even_where_x_is_nan(device):
    run = run_layer('type: "Power" power_param { power: 0 }', [[np.nan]], top_diffs=[[np.nan]], device=device)
    assert run.tops[0].tolist() == [1] and run.bottom_diffs[0].tolist() == [0]


def test_roots_of_negative_numbers(device):
    text = 'type: "Power" power_param { power: 0.3 %s }'
    assert np.isnan(run_layer(text % "scale: 0 shift: -1", [[1.0]], device=device).tops[0]).all()
    with np.errstate(all="ignore"):
        assert np.isnan(run_layer(text % "", [[-1.0]], device=device).tops[0]).all()


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("power", [1, 2, 0.5, -1, 1.5, 0.37, 3])
def test_gradient(power, names, device):
    text = f'type: "Power" power_param {{ power: {power} scale: 0.8 shift: 3 }} {names}'
    for shape in ((), (0, 3), (2, 20000)):
        check_gradient(text, [np.random.default_rng(0).uniform(-2, 2, shape)], device=device)
