from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
TEXT = 'name: "unit" type: "LSTMUnit"'
N, H = 3, 4
BEFORE, X = random.standard_normal((1, N, H)), random.standard_normal((1, N, 4 * H))
CONT = np.array([[1.0, 0, 1]])


def test_worked_by_hand(device):
    run = run_layer(TEXT, [[[[8], [8]]], [[[0, 0, 0, 1]] * 2], [[1, 0]]], device=device)
    c = np.array([4 + np.tanh(1) / 2, np.tanh(1) / 2])
    np.testing.assert_allclose(run.tops[0].ravel(), c, rtol=1e-6)
    np.testing.assert_allclose(run.tops[1].ravel(), np.tanh(c) / 2, rtol=1e-6)


def test_a_step_of_lstm_is_one_unit(device):
    """With unit weights from x to the gates and none from h, the LSTM's gates are its x."""
    text = 'bottom: "x" bottom: "cont" bottom: "h" bottom: "c" top: "y" top: "hT" top: "cT" type: "LSTM" '
    text += f"recurrent_param {{ num_output: {H} expose_hidden: true }}"
    params = [np.eye(4 * H), np.zeros(4 * H), np.zeros((4 * H, H))]
    bottoms = [X, CONT, np.zeros((1, N, H)), BEFORE]
    lstm = run_layer(text, bottoms, params=params, dtype=np.float64, device=device)
    unit = run_layer(TEXT, [BEFORE, X, CONT], dtype=np.float64, device=device)
    np.testing.assert_allclose(unit.tops[0], lstm.tops[2], rtol=1e-14)
    np.testing.assert_allclose(unit.tops[1], lstm.tops[1], rtol=1e-14)


def test_gradient(device):
    check_gradient(TEXT, [BEFORE, X, CONT], device=device)


@pytest.mark.parametrize("number", [0, 1])
def test_one_gradient_alone(number, device):
    diffs = list(random.standard_normal((2, 1, N, H)))
    whole = run_layer(TEXT, [BEFORE, X, CONT], top_diffs=diffs, device=device).bottom_diffs
    want = Wanted(tuple(i == number for i in range(3)), ())
    alone = run_layer(TEXT, [BEFORE, X, CONT], top_diffs=diffs, device=device, want=want).bottom_diffs
    np.testing.assert_array_equal(alone[number], whole[number])
    assert [d is None for d in alone] == [i != number for i in range(3)]


def test_no_stream(device):
    run = run_layer(TEXT, [np.ones((1, 0, 2)), np.ones((1, 0, 8)), np.ones((1, 0))], device=device)
    assert [t.shape for t in run.tops] == [(1, 0, 2)] * 2


@pytest.mark.parametrize("shapes", [((2, N, H), (2, N, 4 * H), (2, N)), ((1, N, H), (1, N, H), (1, N))])
def test_other_shapes_are_refused(shapes):
    with pytest.raises(NetError, match=r"a state \(1 x N x H\), gates \(1 x N x 4 H\) and cont \(1 x N\)"):
        run_layer(TEXT, [np.ones(s) for s in shapes])
