from __future__ import annotations

import numpy as np
import pytest

from brew.errors import DataError, NetError
from brew.testing import check_gradient, run_layer

TEXT = 'name: "loss" type: "HingeLoss"'
L2 = f"{TEXT} hinge_loss_param {{ norm: L2 }}"
X = [[0.5, -2, 1], [3, -0.5, -1]]  # with labels 0, 1 it falls short by [0.5, 0, 2], [4, 1.5, 0]
LABELS = [0, 1]


def test_worked_by_hand(device):
    run = run_layer(f"{TEXT} loss_weight: 4", [X, LABELS], device=device)
    assert run.tops[0] == 4
    assert run.bottom_diffs[0].tolist() == [[-2, 0, 2], [2, -2, 0]]
    assert run.bottom_diffs[1] is None


def test_squares_worked_by_hand(device):
    run = run_layer(L2, [X, LABELS], device=device)
    assert run.tops[0] == (0.25 + 4 + 16 + 2.25) / 2
    assert run.bottom_diffs[0].tolist() == [[-0.5, 0, 2], [4, -1.5, 0]]


@pytest.mark.parametrize("text", [TEXT, L2])
def test_gradient(text, device):
    random = np.random.default_rng(0)
    x = random.uniform(0.1, 0.9, (4, 3, 2)) + random.integers(-2, 2, (4, 3, 2))  # the kinks are at 1 and -1
    check_gradient(text, [x, [0, 5, 2, 1]], device=device)


@pytest.mark.parametrize("text", [TEXT, L2])
def test_empty_batch(text, device):
    assert run_layer(text, [np.ones((0, 2)), np.ones(0)], device=device).tops[0] == 0


def test_a_label_that_is_no_class():
    with pytest.raises(DataError, match="label -1 at position 0 is no class; expected 0 to 2"):
        run_layer(TEXT, [X, [-1, 0]])


@pytest.mark.parametrize("text", [TEXT, L2])
@pytest.mark.parametrize("device", ["cuda"], indirect=True)
def test_a_label_that_is_no_class_becomes_nan_on_cuda(text, device):
    run = run_layer(text, [X, [-1, 0]], device=device)
    assert np.isnan(run.tops[0])
    assert np.isnan(run.bottom_diffs[0]).all(axis=1).tolist() == [True, False]


def test_wrong_number_of_labels():
    with pytest.raises(NetError, match="scores of N items, at least one for each, and N labels"):
        run_layer(TEXT, [X, [1, 0, 1]])
