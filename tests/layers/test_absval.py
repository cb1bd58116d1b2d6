from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer


def test_worked_by_hand(device):
    run = run_layer('type: "AbsVal"', [[2.0, -3.0, 0.0, -0.5]], top_diffs=[[1, 10, 100, 1000]], device=device)
    assert run.tops[0].tolist() == [2, 3, 0, 0.5]
    assert run.bottom_diffs[0].tolist() == [1, -10, 0, -1000]


@pytest.mark.parametrize("shape", [(), (0, 3), (1, 1, 1, 1), (2, 3, 20000)])
def test_gradient(shape, device):
    random = np.random.default_rng(0)
    x = random.uniform(0.1, 1, shape) * random.choice([-1, 1], shape)
    check_gradient('type: "AbsVal"', [x], device=device)


def test_not_in_place():
    with pytest.raises(NetError, match="cannot run in place"):
        run_layer('type: "AbsVal" bottom: "x" top: "x"', [[1.0]])
