from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
TEXT = 'name: "loss" type: "SigmoidCrossEntropyLoss"'


def test_worked_by_hand(device):
    run = run_layer(f"{TEXT} loss_weight: 2", [[[0, 0]], [[1, 0.25]]], device=device)
    assert run.tops[0] == pytest.approx(2 * np.log(2))  # divided by one item, not by its two elements
    assert run.bottom_diffs[0].tolist() == [[-1, 0.5]]
    assert run.bottom_diffs[1] is None


def test_large_scores_overflow_nowhere(device):
    run = run_layer(TEXT, [[[1000, -1000, 1000]], [[1, 0, 0]]], device=device)
    assert run.tops[0] == 1000
    assert run.bottom_diffs[0].tolist() == [[0, 0, 1]]


# 2 items of 3 elements, 4 that count
@pytest.mark.parametrize(
    ("fields", "divisor"),
    [
        ("", 2),
        ("normalization: VALID", 4),
        ("normalization: FULL", 6),
        ("normalization: BATCH_SIZE", 2),
        ("normalization: NONE", 1),
        ("normalize: true", 4),
        ("normalize: false", 2),
        ("normalize: true normalization: NONE", 1),
    ],
)
def test_normalization(fields, divisor, device):
    target = [[0, 1, -1], [-1, 1, 0]]
    run = run_layer(f"{TEXT} loss_param {{ ignore_label: -1 {fields} }}", [np.zeros((2, 3)), target], device=device)
    assert run.tops[0] == pytest.approx(4 * np.log(2) / divisor)
    expected = np.array([[0.5, -0.5, 0], [0, -0.5, 0.5]]) / divisor
    np.testing.assert_allclose(run.bottom_diffs[0], expected, rtol=1e-6)


def test_the_ignored_label_is_compared_with_the_target_cut_off(device):
    run = run_layer(f"{TEXT} loss_param {{ ignore_label: 0 }}", [[[5, 0]], [[0.9, 1]]], device=device)
    assert run.tops[0] == pytest.approx(np.log(2))
    assert run.bottom_diffs[0].tolist() == [[0, -0.5]]


def test_all_ignored(device):
    fields = "ignore_label: 1 normalization: VALID"
    run = run_layer(f"{TEXT} loss_param {{ {fields} }}", [np.ones((2, 2)), np.ones((2, 2))], device=device)
    assert run.tops[0] == 0 and not run.bottom_diffs[0].any()


def test_gradient(device):
    x, t = random.standard_normal((3, 4, 5)) * 3, random.random((3, 4, 5))
    check_gradient(f"{TEXT} loss_weight: 0.5", [x, t], device=device)


def test_many_elements(device):
    x, t = random.standard_normal((3, 9000)), random.integers(0, 2, (3, 9000))
    p = 1 / (1 + np.exp(-x))
    expected = -np.log(np.where(t, p, 1 - p)).sum() / 3
    assert run_layer(TEXT, [x, t], device=device).tops[0] == pytest.approx(expected, rel=1e-5)


def test_empty_batch(device):
    assert run_layer(TEXT, [np.ones((0, 2)), np.ones((0, 2))], device=device).tops[0] == 0


@pytest.mark.parametrize("shape", [(2, 4), (3, 2), ()])
def test_other_shapes_are_refused(shape):
    with pytest.raises(NetError, match="scores and as many targets, in as many items"):
        run_layer(TEXT, [np.ones((2, 3)), np.ones(shape)])
