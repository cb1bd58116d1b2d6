from __future__ import annotations

import numpy as np
import pytest

from brew.testing import check_gradient, run_layer

IN_PLACE = 'bottom: "x" top: "x"'
random = np.random.default_rng(0)
X = [[[1.0, 7.0], [5.0, 7.0]]]  # means 4 and 6, deviations 3 and 1; of both channels mean 5
DY = [[[1.0, 10.0], [10.0, 100.0]]]


def mvn(fields="", names=""):
    return f'type: "MVN" mvn_param {{ {fields} }} {names}'


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize(
    ("fields", "y", "dx"),
    [
        ("normalize_variance: false", [[-3, 3], [-1, 1]], [[-4.5, 4.5], [-45, 45]]),
        ("normalize_variance: false across_channels: true", [[-4, 2], [0, 2]], [[-29.25, -20.25], [-20.25, 69.75]]),
        # eps stands outside the root: 3 / (3 + 1) and 1 / (1 + 1); mean(y dy) is 27 / 8 and 45 / 2
        ("eps: 1", [[-0.75, 0.75], [-0.5, 0.5]], [[-63 / 128, 63 / 128], [-16.875, 16.875]]),
    ],
)
def test_worked_by_hand(names, fields, y, dx, device):
    run = run_layer(mvn(fields, names), [X], top_diffs=[DY], device=device)
    np.testing.assert_allclose(run.tops[0], [y], rtol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[0], [dx], rtol=1e-6)


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize(
    "fields",
    ["", "across_channels: true", "normalize_variance: false", "normalize_variance: false across_channels: true"],
)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 10000), (1, 1, 7), (4, 6, 2, 3, 2)])
def test_gradient(shape, fields, names, device):
    check_gradient(mvn(fields, names), [3 + random.standard_normal(shape)], device=device)


@pytest.mark.parametrize("shape", [(), (3,), (4, 3), (2, 3, 1, 1)])
def test_a_single_number_becomes_zero(shape, device):
    run = run_layer(mvn(), [5 * np.ones(shape)], top_diffs=[np.ones(shape)], device=device)
    assert not run.tops[0].any() and not run.bottom_diffs[0].any()


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 3, 0)])
def test_empty(shape, device):
    run = run_layer(mvn(), [np.ones(shape)], top_diffs=[np.ones(shape)], device=device)
    assert run.tops[0].shape == run.bottom_diffs[0].shape == shape


def test_a_large_mean_costs_no_digits(device):
    x = random.standard_normal((2, 3, 50)).astype(np.float32)
    near, far = (run_layer(mvn(), [x + shift], device=device).tops[0] for shift in (0, 1024))
    np.testing.assert_allclose(near, far, atol=1e-3)
