from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)


def inner_product(fields: str) -> str:
    return f'type: "InnerProduct" name: "ip" inner_product_param {{ {fields} }}'


def test_worked_by_hand(device):
    run = run_layer(
        inner_product("num_output: 2"),
        [[[[1, 2], [3, 4]]]],  # one item of 2 x 2
        params=[[[1, 0, 0, 1], [0, 1, 1, 0]], [10, 20]],
        top_diffs=[[[1, 2]]],
        device=device,
    )
    assert run.tops[0].tolist() == [[15, 25]]
    assert run.bottom_diffs[0].tolist() == [[[1, 2], [2, 1]]]
    assert run.param_diffs[0].tolist() == [[1, 2, 3, 4], [2, 4, 6, 8]]
    assert run.param_diffs[1].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("fields", "top", "weights"),
    [
        ("num_output: 6", (3, 6), (6, 40)),
        ("num_output: 6 axis: 2", (3, 2, 6), (6, 20)),
        ("num_output: 6 axis: -1", (3, 2, 4, 6), (6, 5)),
        ("num_output: 6 axis: 0", (6,), (6, 120)),
        ("num_output: 6 transpose: true", (3, 6), (40, 6)),
    ],
)
def test_shapes_follow_the_axis(fields, top, weights):
    run = run_layer(inner_product(fields), [np.ones((3, 2, 4, 5))])
    assert run.tops[0].shape == top
    assert [p.shape for p in run.params] == [weights, (6,)]


@pytest.mark.parametrize("fields", ["", "transpose: true", "axis: 2 bias_term: false"])
def test_gradients(fields, device):
    text = inner_product(f'num_output: 3 {fields} weight_filler {{ type: "xavier" }}')
    check_gradient(text, [random.standard_normal((2, 3, 4))], device=device)


def test_large_weight_gradients_are_added_tile_by_tile():
    x, dy = random.standard_normal((2, 700)), random.standard_normal((2, 900))
    run = run_layer(inner_product("num_output: 900 bias_term: false"), [x], top_diffs=[dy], dtype=np.float64)
    np.testing.assert_allclose(run.param_diffs[0], dy.T @ x, atol=1e-12)


@pytest.mark.parametrize("batch", [0, 1])
def test_small_batches(batch, device):
    dy = np.ones((batch, 3))
    run = run_layer(inner_product("num_output: 3"), [np.ones((batch, 4))], top_diffs=[dy], device=device)
    assert run.tops[0].shape == (batch, 3)
    assert run.param_diffs[1].tolist() == [batch] * 3


def test_only_what_is_wanted_is_computed(device):
    want = Wanted((False,), (False, True))
    text = inner_product("num_output: 3")
    run = run_layer(text, [np.ones((2, 4))], top_diffs=[np.ones((2, 3))], want=want, device=device)
    assert run.bottom_diffs == [None]
    assert run.param_diffs[0] is None
    assert run.param_diffs[1].tolist() == [2, 2, 2]


def test_mistakes_are_named():
    with pytest.raises(NetError, match=r'"ip" \(InnerProduct\): num_output must be at least 1'):
        run_layer(inner_product(""), [np.ones((2, 4))])
    with pytest.raises(NetError, match="axis 2 is out of range for 2 axes"):
        run_layer(inner_product("num_output: 1 axis: 2"), [np.ones((2, 4))])
