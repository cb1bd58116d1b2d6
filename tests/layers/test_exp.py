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
        ("", [1, np.e], [1, 10 * np.e]),
        ("base: 2", [1, 2], [np.log(2), 20 * np.log(2)]),
        ("base: 3 scale: 2 shift: -1", [1 / 3, 3], [2 / 3 * np.log(3), 60 * np.log(3)]),
        ("scale: -1 shift: 1", [np.e, 1], [-np.e, -10]),
        ("base: 1", [1, 1], [0, 0]),
    ],
)
def test_worked_by_hand(names, fields, y, dx, device):
    text = f'type: "Exp" exp_param {{ {fields} }} {names}'
    run = run_layer(text, [[0.0, 1.0]], top_diffs=[[1, 10]], device=device)
    np.testing.assert_allclose(run.tops[0], y, rtol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[0], dx, rtol=1e-6)


def test_a_large_shift_does_not_overflow_by_itself(device):
    run = run_layer('type: "Exp" exp_param { shift: 200 }', [[-200.0]], device=device)
    assert run.tops[0].tolist() == [1]


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 20000)])
def test_gradient(shape, names, device):
    text = f'type: "Exp" exp_param {{ base: 2 scale: 0.5 shift: 1 }} {names}'
    check_gradient(text, [np.random.default_rng(0).standard_normal(shape)], device=device)


@pytest.mark.parametrize("base", ["0", "-2", "inf", "nan"])
def test_a_base_without_a_logarithm(base):
    with pytest.raises(NetError, match=f"base must be -1, which means e, or greater than 0, got {base}"):
        run_layer(f'type: "Exp" exp_param {{ base: {base} }}', [[1.0]])
