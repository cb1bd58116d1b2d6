from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
X = random.standard_normal((4, 3, 5, 2)) * 3 + 7
IN_PLACE = 'bottom: "x" top: "x"'


def norm(fields: str = "", names: str = "") -> str:
    return f'type: "BatchNorm" {names} batch_norm_param {{ {fields} }}'


@pytest.mark.parametrize("names", ["", IN_PLACE])
def test_statistics_of_the_batch(names, device):
    run = run_layer(norm("eps: 0.5", names), [[[1, 10], [3, 10]]], device=device)
    np.testing.assert_allclose(run.tops[0], np.array([[-1, 0], [1, 0]]) / np.sqrt(1.5), rtol=1e-5)
    # two elements per channel: the stored variance is 2 / (2 - 1) times the batch's
    assert [p.tolist() for p in run.params] == [[2, 10], [2, 0], [1]]


def test_statistics_fade(device):
    text = norm("moving_average_fraction: 0.5")
    run = run_layer(text, [[[1, 10], [3, 10]]], params=[[8, 8], [4, 4], [2]], repeat=2, device=device)
    assert [p.tolist() for p in run.params] == [[5, 17], [4, 1], [2]]


@pytest.mark.parametrize(("phase", "fields"), [("TEST", ""), ("TRAIN", "use_global_stats: true")])
def test_stored_statistics(phase, fields, device):
    params = [[8.0, 0.0], [2.0, 0.5], [2.0]]
    run = run_layer(
        norm(f"eps: 0 {fields}"), [[[6, 1]]], params=params, top_diffs=[[[1, 2]]], phase=phase, device=device
    )
    assert run.tops[0].tolist() == [[2, 2]]
    assert run.bottom_diffs[0].tolist() == [[1, 4]]
    assert [p.tolist() for p in run.params] == params


def test_nothing_stored_yet_counts_as_zero(device):
    run = run_layer(norm("eps: 4"), [[[6, 1]]], phase="TEST", device=device)
    assert run.tops[0].tolist() == [[3, 0.5]]


def test_statistics_of_the_batch_in_the_test_phase(device):
    run = run_layer(norm("use_global_stats: false"), [X], phase="TEST", device=device)
    np.testing.assert_allclose(run.tops[0].mean((0, 2, 3)), 0, atol=1e-6)
    assert run.params[2] == 1


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("shape", [(4, 3, 5, 2), (6, 4), (7,), (1, 2, 3), (2, 2, 9000)])
def test_gradient(shape, names, device):
    x = random.standard_normal(shape) * 2 + 5
    check_gradient(norm("", names), [x], device=device)
    stored = [np.full(x.shape[1] if x.ndim > 1 else 1, v) for v in (6.0, 3.0)]
    check_gradient(norm("", names), [x], params=[*stored, [2.0]], phase="TEST", device=device)


def test_a_large_mean_does_not_swallow_the_variance(device):
    x = random.standard_normal((64, 1, 40)).astype(np.float32) + 4000
    y = run_layer(norm(), [x], device=device).tops[0]
    exact = x.astype(np.float64)
    np.testing.assert_allclose(y, (exact - exact.mean()) / np.sqrt(exact.var() + 1e-5), atol=2e-3)


@pytest.mark.parametrize("shape", [(1, 3), (0, 3), (1, 3, 0)])
def test_one_element_or_none(shape, device):
    x = np.full(shape, 5.0)
    run = run_layer(norm(), [x], top_diffs=[x], device=device)
    assert run.tops[0].shape == shape and not run.tops[0].any()
    assert not run.bottom_diffs[0].any()
    assert run.params[2] == (1 if x.size else 0)
    assert run.params[1].tolist() == [0, 0, 0]


def test_scalars_are_refused():
    with pytest.raises(NetError, match='at least 1 axis; bottoms are "bottom0" scalar'):
        run_layer(norm(), [1.0])
