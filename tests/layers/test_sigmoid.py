from __future__ import annotations

import numpy as np
import pytest

from brew.testing import check_gradient, run_layer

X = [-200.0, 0.0, 200.0, 2.0]  # far out nothing overflows


@pytest.mark.parametrize("names", ["", 'bottom: "x" top: "x"'])
def test_worked_by_hand(names, device):
    run = run_layer(f'type: "Sigmoid" {names}', [X], top_diffs=[np.ones(4)], device=device)
    np.testing.assert_allclose(run.tops[0], [0, 0.5, 1, 0.8807970779778823], atol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[0], [0, 0.25, 0, 0.10499358540350662], atol=1e-6)


@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 4)])
def test_gradient(shape, device):
    check_gradient('type: "Sigmoid"', [np.random.default_rng(0).standard_normal(shape)], device=device)
