from __future__ import annotations

import numpy as np
import pytest

from brew.testing import check_gradient, run_layer

IN_PLACE = 'bottom: "x" top: "x"'


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("alpha", [1, 0.25, 0, -0.5, 1e8])
def test_worked_by_hand(names, alpha, device):
    text = f'type: "ELU" elu_param {{ alpha: {alpha} }} {names}'
    run = run_layer(text, [[2, np.log(0.25), 0.5]], top_diffs=[[1, 1, 10]], device=device)
    np.testing.assert_allclose(run.tops[0], [2, -0.75 * alpha, 0.5], rtol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[0], [1, 0.25 * alpha, 10], rtol=1e-6)


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("alpha", [0.7, -0.7])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 20000)])
def test_gradient(shape, alpha, names, device):
    random = np.random.default_rng(0)
    x = random.uniform(0.1, 2, shape) * random.choice([-1, 1], shape)
    check_gradient(f'type: "ELU" elu_param {{ alpha: {alpha} }} {names}', [x], device=device)
