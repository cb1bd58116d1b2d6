from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.layers import _recurrent_cpu, _recurrent_cuda
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
T, N, D, H = 5, 3, 4, 2
X = random.standard_normal((T, N, D))
CONT = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 1], [1, 1, 1], [1, 1, 0]], float)  # steps 1 and 3 whole
STATIC = random.standard_normal((N, 6))
H0 = random.standard_normal((1, N, H))


def rnn(fields: str = "", bottoms: str = "x cont", tops: str = "y") -> str:
    names = " ".join([*(f'bottom: "{b}"' for b in bottoms.split()), *(f'top: "{t}"' for t in tops.split())])
    filler = 'type: "uniform" min: -0.5 max: 0.5'
    own = f"num_output: {H} weight_filler {{ {filler} }} bias_filler {{ {filler} }} {fields}"
    return f'type: "RNN" name: "rnn" {names} recurrent_param {{ {own} }}'


STATIC_TEXT = rnn(bottoms="x cont s")
EXPOSED = rnn("expose_hidden: true", "x cont h0", "y hT")
CASES = {
    "plain": (rnn(), [X, CONT]),
    "static": (STATIC_TEXT, [X, CONT, STATIC]),
    "exposed": (EXPOSED, [X, np.ones((T, N)), H0]),
    "exposed, static": (rnn("expose_hidden: true", "x cont s h0", "y hT"), [X, CONT, STATIC, H0]),
    "one step of one stream": (EXPOSED, [X[:1, :1], np.ones((1, 1)), H0[:, :1]]),
}


def unroll(x, cont, params, static=0.0, h=0.0):
    """y and the last state, straight from the definition."""
    w_x, b, w_h, w_o, b_o = params
    y, h = [], h + np.zeros((x.shape[1], H))
    for x_t, cont_t in zip(x, cont[..., np.newaxis], strict=True):
        h = np.tanh(x_t @ w_x.T + (cont_t * h) @ w_h.T + b + static)
        y.append(np.tanh(h @ w_o.T + b_o))
    return np.array(y), h[np.newaxis]


@pytest.fixture(params=[None, 6], autouse=True, ids=["one chunk", "several chunks"])
def tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs every test once more with chunks of one or two steps."""
    if request.param:
        monkeypatch.setattr(_recurrent_cpu, "_TILE", request.param)
        monkeypatch.setattr(_recurrent_cuda, "_TILE", request.param * 2)


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_definition(case, device):
    text, bottoms = CASES[case]
    run = run_layer(text, bottoms, dtype=np.float64, device=device)
    params, static = run.params, 0.0
    if "static" in case:
        static = STATIC @ params.pop(2).T
    h = bottoms[-1][0] if "expose_hidden: true" in text else 0.0
    for top, values in zip(run.tops, unroll(bottoms[0], bottoms[1], params, static, h), strict=False):
        np.testing.assert_allclose(top, values, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_gradient(case, device):
    text, bottoms = CASES[case]
    check_gradient(text, bottoms, device=device)


def test_the_state_goes_on_in_the_next_pass(device):
    run = run_layer(rnn(), [X, np.ones((T, N))], repeat=2, dtype=np.float64, device=device)
    whole, _ = unroll(np.concatenate([X, X]), np.ones((2 * T, N)), run.params)
    np.testing.assert_allclose(run.tops[0], whole[T:], atol=1e-12)


def test_only_what_is_wanted_is_computed(device):
    dy = random.standard_normal((T, N, H))
    whole = run_layer(STATIC_TEXT, [X, CONT, STATIC], top_diffs=[dy], device=device)
    for number in range(6):
        want = Wanted((False, False, number == 1), tuple(i == number for i in range(6)))
        run = run_layer(STATIC_TEXT, [X, CONT, STATIC], top_diffs=[dy], device=device, want=want)
        np.testing.assert_array_equal(run.param_diffs[number], whole.param_diffs[number])
    none = run_layer(STATIC_TEXT, [X, CONT, STATIC], device=device, want=Wanted((False,) * 3, (False,) * 6))
    np.testing.assert_array_equal(none.tops[0], whole.tops[0])


@pytest.mark.parametrize(("steps", "streams"), [(0, N), (T, 0)])
def test_nothing_to_do(steps, streams, device):
    bottoms = [X[:steps, :streams], CONT[:steps, :streams], H0[:, :streams]]
    diffs = [np.ones((steps, streams, H)), np.ones((1, streams, H))]
    run = run_layer(EXPOSED, bottoms, top_diffs=diffs, device=device)
    assert run.tops[0].shape == (steps, streams, H)
    assert not any(d.any() for d in run.param_diffs)
    if streams:  # no step: the last state is the first
        np.testing.assert_array_equal(run.tops[1], H0.astype(np.float32))
        np.testing.assert_array_equal(run.bottom_diffs[2], np.ones((1, N, H)))


def test_wide_scratch_holds_every_product(device):
    """The scratch of the weights' gradients must hold the largest of their products, whichever that is."""
    text = rnn().replace(f"num_output: {H}", "num_output: 515")
    run = run_layer(text, [random.standard_normal((1, 1, 512)), [[0]]], top_diffs=[np.ones((1, 1, 515))], device=device)
    assert all(np.isfinite(d).all() for d in run.param_diffs)


@pytest.mark.parametrize(
    ("text", "bottoms", "message"),
    [
        (rnn(), [X, CONT[:3]], r"expects x \(T x N x ...\) and cont \(T x N\), T steps of N streams"),
        (EXPOSED, [X, CONT, H0[:, :2]], "expects first states of 1 x 3 x 2"),
        (rnn("expose_hidden: true"), [X, CONT], r"takes 3 or 4 bottoms \(x, cont, .* h_0\); 2 are given"),
        (rnn().replace(f"num_output: {H}", ""), [X, CONT], "num_output must be at least 1"),
    ],
)
def test_mistakes_are_named(text, bottoms, message):
    with pytest.raises(NetError, match=rf'layer "rnn" \(RNN\): .*{message}'):
        run_layer(text, bottoms)
