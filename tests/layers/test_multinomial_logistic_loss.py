from __future__ import annotations

import numpy as np
import pytest

from brew.errors import DataError, NetError
from brew.testing import check_gradient, run_layer

TEXT = 'name: "loss" type: "MultinomialLogisticLoss"'
P = [[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]]


def test_worked_by_hand(device):
    run = run_layer(f"{TEXT} loss_weight: 2", [P, [1, 0]], device=device)
    assert run.tops[0] == pytest.approx((np.log(4) + np.log(8)) / 2)
    assert run.bottom_diffs[0].tolist() == [[0, -4, 0], [-8, 0, 0]]
    assert run.bottom_diffs[1] is None


def test_no_probability_counts_as_a_small_one(device):
    run = run_layer(TEXT, [[[0, 1]], [0]], device=device)
    assert run.tops[0] == pytest.approx(-np.log(1e-20))
    assert run.bottom_diffs[0][0].tolist() == pytest.approx([-1e20, 0])


def test_gradient(device):
    p = np.random.default_rng(0).uniform(0.1, 1, (4, 3, 2))
    check_gradient(TEXT, [p, [0, 5, 2, 1]], device=device)


def test_empty_batch(device):
    assert run_layer(TEXT, [np.ones((0, 2)), np.ones(0)], device=device).tops[0] == 0


def test_a_label_that_is_no_class():
    with pytest.raises(DataError, match="label 3 at position 1 is no class; expected 0 to 2"):
        run_layer(TEXT, [P, [1, 3]])


@pytest.mark.parametrize("device", ["cuda"], indirect=True)
def test_a_label_that_is_no_class_becomes_nan_on_cuda(device):
    run = run_layer(TEXT, [P, [1, 3]], device=device)
    assert np.isnan(run.tops[0])
    assert np.isnan(run.bottom_diffs[0]).any(axis=1).tolist() == [False, True]


def test_wrong_number_of_labels():
    with pytest.raises(NetError, match="probabilities of N items, at least one for each, and N labels"):
        run_layer(TEXT, [P, [1, 0, 1]])
