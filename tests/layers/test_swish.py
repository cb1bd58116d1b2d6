from __future__ import annotations

import numpy as np
import pytest

from brew.testing import check_gradient, run_layer

IN_PLACE = 'bottom: "x" top: "x"'


@pytest.mark.parametrize("names", ["", IN_PLACE])
def test_worked_by_hand(names, device):
    x = [0.0, 200.0, -200.0, np.log(3)]  # far out nothing overflows
    run = run_layer(f'type: "Swish" {names}', [x], top_diffs=[[2, 1, 1, 16]], device=device)
    np.testing.assert_allclose(run.tops[0], [0, 200, 0, 0.75 * np.log(3)], rtol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[0], [1, 1, 0, 12 + 3 * np.log(3)], rtol=1e-6)


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("beta", [1, 1.7, 0, -1])
def test_gradient(beta, names, device):
    for shape in ((), (0, 3), (2, 20000)):
        x = np.random.default_rng(0).standard_normal(shape)
        check_gradient(f'type: "Swish" swish_param {{ beta: {beta} }} {names}', [x], device=device)
