from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.testing import check_gradient, run_layer

A, B = [[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [3.0, 2.0]]


def test_worked_by_hand(device):
    run = run_layer('type: "EuclideanLoss" loss_weight: 3', [A, B], device=device)
    assert run.tops[0] == (1 + 4 + 0 + 4) / 4
    assert run.bottom_diffs[0].tolist() == [[1.5, 3], [0, 3]]
    assert run.bottom_diffs[1].tolist() == [[-1.5, -3], [0, -3]]


def test_one_gradient_alone(device):
    want = Wanted(bottoms=(False, True), params=())
    run = run_layer('type: "EuclideanLoss"', [A, B], device=device, want=want)
    assert run.bottom_diffs[0] is None
    assert run.bottom_diffs[1].tolist() == [[-0.5, -1], [0, -1]]


def test_gradient(device):
    bottoms = np.random.default_rng(0).standard_normal((2, 4, 3, 5))
    check_gradient('type: "EuclideanLoss" loss_weight: 2', list(bottoms), device=device)


def test_items_may_be_shaped_differently(device):
    run = run_layer('type: "EuclideanLoss"', [np.ones((2, 6)), np.zeros((2, 3, 2))], device=device)
    assert run.tops[0] == 3
    assert run.bottom_diffs[1].shape == (2, 3, 2)


def test_empty_batch(device):
    assert run_layer('type: "EuclideanLoss"', [np.ones((0, 2)), np.ones((0, 2))], device=device).tops[0] == 0


def test_other_shapes_are_refused():
    with pytest.raises(NetError, match=r'two bottoms .* of one size; .*"bottom0" 2 x 2, "bottom1" 2 x 3'):
        run_layer('type: "EuclideanLoss"', [np.ones((2, 2)), np.ones((2, 3))])
