from __future__ import annotations

import numpy as np
import pytest

from brew.testing import check_gradient, run_layer

IN_PLACE = 'bottom: "x" top: "x"'


@pytest.mark.parametrize("names", ["", IN_PLACE])
def test_worked_by_hand(names, device):
    x = [-200.0, 0.0, 200.0, np.log(3)]  # far out nothing overflows
    run = run_layer(f'type: "BNLL" {names}', [x], top_diffs=[[1, 2, 1, 4]], device=device)
    np.testing.assert_allclose(run.tops[0], [0, np.log(2), 200, np.log(4)], rtol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[0], [0, 1, 1, 3], rtol=1e-6)


def test_small_values_keep_their_digits(device):
    run = run_layer('type: "BNLL"', [[-20.0]], device=device)
    np.testing.assert_allclose(run.tops[0], np.log1p(np.exp(-20.0)), rtol=1e-6)


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 20000)])
def test_gradient(shape, names, device):
    check_gradient(f'type: "BNLL" {names}', [np.random.default_rng(0).uniform(-4, 4, shape)], device=device)
