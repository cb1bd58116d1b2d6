from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

IN_PLACE = 'bottom: "x" top: "x"'


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize(
    ("fields", "y", "dx"),
    [
        ("", [0, np.log(4)], [1, 10 / 4]),
        ("base: 2", [0, 2], [1 / np.log(2), 10 / 4 / np.log(2)]),
        ("base: 10 scale: 0.5 shift: 8", [np.log10(8.5), 1], [1 / 17 / np.log(10), 0.5 / np.log(10)]),
    ],
)
def test_worked_by_hand(names, fields, y, dx, device):
    text = f'type: "Log" log_param {{ {fields} }} {names}'
    run = run_layer(text, [[1.0, 4.0]], top_diffs=[[1, 10]], device=device)
    np.testing.assert_allclose(run.tops[0], y, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(run.bottom_diffs[0], dx, rtol=1e-6)


def test_zero_and_below(device):
    with np.errstate(all="ignore"):
        y = run_layer('type: "Log"', [[0.0, -1.0]], device=device).tops[0]
    assert y[0] == -np.inf and np.isnan(y[1])


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 20000)])
def test_gradient(shape, names, device):
    text = f'type: "Log" log_param {{ base: 3 scale: -2 shift: 5 }} {names}'
    check_gradient(text, [np.random.default_rng(0).uniform(-1, 1.5, shape)], device=device)


@pytest.mark.parametrize(
    ("base", "message"),
    [("0", "or greater than 0, got 0"), ("-2", "or greater than 0, got -2"), ("1", "base must not be 1")],
)
def test_a_base_without_logarithms(base, message):
    with pytest.raises(NetError, match=message):
        run_layer(f'type: "Log" log_param {{ base: {base} }}', [[1.0]])
