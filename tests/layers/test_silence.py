from __future__ import annotations

import numpy as np

from brew.layer import Wanted
from brew.testing import check_gradient, run_layer


def test_gradients_are_zero(device):
    run = run_layer('type: "Silence"', [np.ones((2, 3)), np.ones(4)], top_diffs=[], device=device)
    assert run.tops == []
    assert [d.tolist() for d in run.bottom_diffs] == [[[0] * 3] * 2, [0] * 4]


def test_gradients_nobody_wants(device):
    want = Wanted(bottoms=(False, True), params=())
    run = run_layer('type: "Silence"', [np.ones(1), np.ones(1)], top_diffs=[], device=device, want=want)
    assert run.bottom_diffs[0] is None and run.bottom_diffs[1] == 0


def test_gradients_by_differences(device):
    check_gradient('type: "Silence"', [np.ones((2, 3)), np.ones(4)], device=device)
