from __future__ import annotations

import numpy as np
import pytest

from brew.testing import check_gradient, run_layer

X = [[1.0, 2.0]]


@pytest.mark.parametrize("tops", [1, 2, 4])
def test_tops_are_the_bottom_and_gradients_are_summed(tops, device):
    names = " ".join(f'top: "{i}"' for i in range(tops))
    diffs = [np.full((1, 2), 10.0**i) for i in range(tops)]
    run = run_layer(f'type: "Split" {names}', [X], top_diffs=diffs, device=device)
    assert [y.tolist() for y in run.tops] == [X] * tops
    assert (run.bottom_diffs[0] == sum(diffs)).all()
    check_gradient(f'type: "Split" {names}', [X], device=device)
