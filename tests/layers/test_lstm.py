from __future__ import annotations

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.errors import NetError
from brew.layer import Wanted
from brew.layers import _recurrent_cpu, _recurrent_cuda
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
T, N, D, H = 5, 3, 4, 2
X = random.standard_normal((T, N, D))
CONT = np.array([[0, 0, 0], [1, 1, 1], [1, 0, 1], [1, 1, 1], [1, 1, 0]], float)  # steps 1 and 3 whole
STATIC = random.standard_normal((N, 3, 2))
STATES = [random.standard_normal((1, N, H)) for _ in "hc"]


def lstm(fields: str = "", bottoms: str = "x cont", tops: str = "y") -> str:
    names = " ".join([*(f'bottom: "{b}"' for b in bottoms.split()), *(f'top: "{t}"' for t in tops.split())])
    filler = 'type: "uniform" min: -0.5 max: 0.5'
    own = f"num_output: {H} weight_filler {{ {filler} }} bias_filler {{ {filler} }} {fields}"
    return f'type: "LSTM" name: "lstm" {names} recurrent_param {{ {own} }}'


STATIC_TEXT = lstm(bottoms="x cont s")
EXPOSED = lstm("expose_hidden: true", "x cont h0 c0", "y hT cT")
BOTH = lstm("expose_hidden: true", "x cont s h0 c0", "y hT cT")
CASES = {
    "plain": (lstm(), [X, CONT]),
    "static": (STATIC_TEXT, [X, CONT, STATIC]),
    "exposed": (EXPOSED, [X, np.ones((T, N)), *STATES]),
    "exposed, static": (BOTH, [X, CONT, STATIC, *STATES]),
    "one step of one stream": (EXPOSED, [X[:1, :1], np.ones((1, 1)), *(s[:, :1] for s in STATES)]),
}


def unroll(x, cont, w_x, b, w_h, static=0.0, h=0.0, c=0.0):
    """y and the last states, straight from the definition."""
    y, h = [], h + np.zeros((x.shape[1], H))
    for x_t, cont_t in zip(x.reshape(*x.shape[:2], -1), cont[..., np.newaxis], strict=True):
        sums = x_t @ w_x.T + (cont_t * h) @ w_h.T + b + static
        i, f, o = (1 / (1 + np.exp(-s)) for s in np.split(sums, 4, axis=1)[:3])
        c = f * (cont_t * c) + i * np.tanh(sums[:, -H:])
        h = o * np.tanh(c)
        y.append(h)
    return np.array(y), h[np.newaxis], c[np.newaxis]


@pytest.fixture(params=[None, 20], autouse=True, ids=["one chunk", "several chunks"])
def tile(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs every test once more with chunks of one or two steps."""
    if request.param:
        monkeypatch.setattr(_recurrent_cpu, "_TILE", request.param * 2)
        monkeypatch.setattr(_recurrent_cuda, "_TILE", request.param * 3)


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_definition(case, device):
    text, bottoms = CASES[case]
    run = run_layer(text, bottoms, dtype=np.float64, device=device)
    w_x, b, *w_s, w_h = run.params
    static = STATIC.reshape(N, -1) @ w_s[0].T if w_s else 0.0
    h, c = (s[0] for s in bottoms[-2:]) if "exposed" in case or "one step" in case else (0.0, 0.0)
    expected = unroll(bottoms[0], bottoms[1], w_x, b, w_h, static, h, c)
    for top, values in zip(run.tops, expected, strict=False):
        np.testing.assert_allclose(top, values, atol=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_gradient(case, device):
    text, bottoms = CASES[case]
    check_gradient(text, bottoms, device=device)


def test_worked_by_hand(device):
    """With all weights zero the biases alone make the gates: i = f = o = 1/2, g = tanh(1)."""
    text = lstm().replace(f"num_output: {H}", "num_output: 1")
    params = [np.zeros((4, D)), [0, 0, 0, 1], np.zeros((4, 1))]
    run = run_layer(text, [X[:2, :1], [[0], [1]]], params=params, device=device)
    c = np.tanh(1) / 2
    np.testing.assert_allclose(run.tops[0].ravel(), np.tanh([c, 1.5 * c]) / 2, rtol=1e-6)


def test_the_states_go_on_in_the_next_pass(device):
    ones = np.ones((T, N))
    run = run_layer(lstm(), [X, ones], repeat=2, dtype=np.float64, device=device)
    w_x, b, w_h = run.params
    whole, *_ = unroll(np.concatenate([X, X]), np.ones((2 * T, N)), w_x, b, w_h)
    np.testing.assert_allclose(run.tops[0], whole[T:], atol=1e-12)
    fresh = run_layer(lstm(), [X, CONT], repeat=2, device=device)
    np.testing.assert_array_equal(fresh.tops[0], run_layer(lstm(), [X, CONT], device=device).tops[0])


def test_no_gradient_goes_from_batch_to_batch(device):
    first = run_layer(EXPOSED, [X, np.ones((T, N)), *np.zeros((2, 1, N, H))], device=device)
    dy = random.standard_normal((T, N, H))
    carried = run_layer(lstm(), [X, np.ones((T, N))], repeat=2, top_diffs=[dy], device=device)
    exposed = run_layer(
        EXPOSED, [X, np.ones((T, N)), *first.tops[1:]], top_diffs=[dy, *np.zeros((2, 1, N, H))], device=device
    )
    np.testing.assert_array_equal(carried.bottom_diffs[0], exposed.bottom_diffs[0])
    for a, b in zip(carried.param_diffs, exposed.param_diffs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_states_survive_another_length_and_not_another_width(device):
    inputs = f"input_param {{ shape {{ dim: {T} dim: {N} dim: {D} }} shape {{ dim: {T} dim: {N} }} }}"
    text = f'layer {{ name: "in" type: "Input" top: "x" top: "cont" {inputs} }} layer {{ {lstm()} }}'
    net = Net(prototxt.parse(text, NetParameter, "net.prototxt"), brew.TRAIN, seed=1, device=device, dtype=np.float64)
    w_x, b, w_h = (p.data for p in net.params["lstm"])

    def pass_over(x):
        net.blobs["x"].reshape(*x.shape)
        net.blobs["cont"].reshape(*x.shape[:2])
        net.blobs["x"].data[...], net.blobs["cont"].data[...] = x, 1
        net.forward()
        return net.blobs["y"].data.copy()

    x = random.standard_normal((2 * T, N, D))
    whole, *_ = unroll(x, np.ones((2 * T, N)), w_x, b, w_h)
    for start, stop in ((0, 5), (5, 7), (7, 10)):
        np.testing.assert_allclose(pass_over(x[start:stop]), whole[start:stop], atol=1e-12)
    alone, *_ = unroll(x[:2, :2], np.ones((2, 2)), w_x, b, w_h)
    np.testing.assert_allclose(pass_over(x[:2, :2]), alone, atol=1e-12)


def test_only_what_is_wanted_is_computed(device):
    dy = random.standard_normal((T, N, H))
    whole = run_layer(STATIC_TEXT, [X, CONT, STATIC], top_diffs=[dy], device=device)
    for number in range(4):
        want = Wanted((False, False, number == 1), tuple(i == number for i in range(4)))
        run = run_layer(STATIC_TEXT, [X, CONT, STATIC], top_diffs=[dy], device=device, want=want)
        np.testing.assert_array_equal(run.param_diffs[number], whole.param_diffs[number])
    none = run_layer(STATIC_TEXT, [X, CONT, STATIC], device=device, want=Wanted((False,) * 3, (False,) * 4))
    np.testing.assert_array_equal(none.tops[0], whole.tops[0])


@pytest.mark.parametrize(("steps", "streams"), [(0, N), (T, 0)])
def test_nothing_to_do(steps, streams, device):
    bottoms = [X[:steps, :streams], CONT[:steps, :streams], *(s[:, :streams] for s in STATES)]
    diffs = [np.ones((steps, streams, H)), *np.ones((2, 1, streams, H))]
    run = run_layer(EXPOSED, bottoms, top_diffs=diffs, device=device)
    assert run.tops[0].shape == (steps, streams, H)
    assert not any(d.any() for d in run.param_diffs)
    if streams:  # no step: the last states are the first
        np.testing.assert_array_equal(run.tops[2], STATES[1].astype(np.float32))
        np.testing.assert_array_equal(run.bottom_diffs[2:], np.ones((2, 1, N, H)))


@pytest.mark.parametrize(
    ("text", "bottoms", "message"),
    [
        (lstm(), [X, CONT[:3]], r"expects x \(T x N x ...\) and cont \(T x N\), T steps of N streams"),
        (STATIC_TEXT, [X, CONT, STATIC[:2]], r"expects a static input \(3 x ...\)"),
        (EXPOSED, [X, CONT, STATES[0], STATES[1][:, :2]], "expects first states of 1 x 3 x 2"),
        (lstm("expose_hidden: true"), [X, CONT], r"takes 4 or 5 bottoms \(x, cont, .* h_0, c_0\); 2 are given"),
        (lstm(bottoms="x cont s t"), [X, CONT, X, X], "takes 2 or 3 bottoms"),
        (lstm(tops="y hT"), [X, CONT], r"makes 1 tops \(y\); 2 are given"),
        (lstm().replace(f"num_output: {H}", ""), [X, CONT], "num_output must be at least 1"),
    ],
)
def test_mistakes_are_named(text, bottoms, message):
    with pytest.raises(NetError, match=rf'layer "lstm" \(LSTM\): .*{message}'):
        run_layer(text, bottoms)
