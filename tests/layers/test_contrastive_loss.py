from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.testing import check_gradient, run_layer

TEXT = 'name: "loss" type: "ContrastiveLoss"'
WIDE = f"{TEXT} contrastive_loss_param {{ margin: 10 }}"
LEGACY = f"{TEXT} contrastive_loss_param {{ margin: 30 legacy_version: true }}"
A, B = [[3.0, 4.0], [3.0, 4.0], [30.0, 40.0]], np.zeros((3, 2))
LIKE = [1, 0, 0]  # a like pair 5 apart, unlike ones 5 and 50 apart


def test_worked_by_hand(device):
    run = run_layer(f"{WIDE} loss_weight: 6", [A, B, LIKE], device=device)
    assert run.tops[0] == pytest.approx((25 + 25) / 6)
    share = 2 * 5 / (5 + 1e-4)
    expected = [[6, 8], [-3 * share, -4 * share], [0, 0]]
    np.testing.assert_allclose(run.bottom_diffs[0], expected, rtol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[1], np.negative(expected), rtol=1e-6)
    assert run.bottom_diffs[2] is None


def test_the_legacy_version_worked_by_hand(device):
    run = run_layer(f"{LEGACY} loss_weight: 6", [A, B, LIKE], device=device)
    assert run.tops[0] == pytest.approx((25 + 5) / 6)
    assert run.bottom_diffs[0].tolist() == [[6, 8], [-6, -8], [0, 0]]


def test_a_coinciding_unlike_pair_has_a_finite_gradient(device):
    run = run_layer(TEXT, [np.ones((1, 2)), np.ones((1, 2)), [0]], device=device)
    assert run.tops[0] == 0.5
    assert run.bottom_diffs[0].tolist() == [[0, 0]]


def test_any_number_that_is_not_0_says_like(device):
    losses = [run_layer(WIDE, [A, B, [y] * 3], device=device).tops[0] for y in (1, -3, 7.5, 0, 0.9)]
    assert losses[0] == losses[1] == losses[2] != losses[3] == losses[4]


# The division by d + 1e-4 makes the gradient of WIDE smaller than the slope: by 2e-6 at most where d >= 50.
@pytest.mark.parametrize(
    ("text", "size"), [(f"{TEXT} contrastive_loss_param {{ margin: 400 }}", 30), (f"{LEGACY} loss_weight: 2", 1)]
)
def test_gradient(text, size, device):
    a, b = np.random.default_rng(0).uniform(1, 2, (2, 4, 3, 2)) * size * np.array([1, -1])[:, None, None, None]
    check_gradient(text, [a, b, [1, 0, 0, 1]], device=device, tolerance=3e-6)


def test_one_gradient_alone(device):
    want = Wanted(bottoms=(False, True, False), params=())
    run = run_layer(TEXT, [[[1.0]], [[0.0]], [1]], device=device, want=want)
    assert run.bottom_diffs[0] is None and run.bottom_diffs[1].tolist() == [[-1]]


def test_empty_batch(device):
    assert run_layer(TEXT, [np.ones((0, 2)), np.ones((0, 2)), np.ones(0)], device=device).tops[0] == 0


@pytest.mark.parametrize(("b", "like"), [((3, 3), 3), ((2, 2), 3), ((3, 2), 4)])
def test_other_shapes_are_refused(b, like):
    with pytest.raises(NetError, match="two bottoms with as many items of one size, and a number for each pair"):
        run_layer(TEXT, [np.ones((3, 2)), np.ones(b), np.ones(like)])
