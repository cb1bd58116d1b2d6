from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
X = random.standard_normal((2, 3, 4, 5))


def bias(fields: str = "", names: str = "") -> str:
    return f'type: "Bias" {names} bias_param {{ {fields} }}'


@pytest.mark.parametrize("names", ["", 'bottom: "x" top: "x"'])
def test_worked_by_hand(names, device):
    dy = [[1.0, 2.0], [3.0, 4.0]]
    run = run_layer(
        bias(names=names), [[[1, 2], [3, 4]]], params=[[10, 20]], top_diffs=[[[1, 2], [3, 4]]], device=device
    )
    assert run.tops[0].tolist() == [[11, 22], [13, 24]]
    assert run.bottom_diffs[0].tolist() == dy
    assert run.param_diffs[0].tolist() == [4, 6]


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ("", (3,)),
        ("axis: 0", (2,)),
        ("axis: -1", (5,)),
        ("num_axes: 2", (3, 4)),
        ("num_axes: -1", (3, 4, 5)),
        ("num_axes: 0", ()),
        ("axis: 0 num_axes: -1", (2, 3, 4, 5)),
    ],
)
@pytest.mark.parametrize("names", ["", 'bottom: "x" top: "x"'])
def test_shapes_and_gradients(fields, shape, names, device):
    text = bias(fields, names)
    assert run_layer(text, [X], device=device).params[0].shape == shape
    check_gradient(text, [X], params=[random.standard_normal(shape)], device=device)


@pytest.mark.parametrize(("fields", "shape"), [("", (3, 4)), ("axis: 0", (2,)), ("axis: 2", ())])
def test_second_bottom(fields, shape, device):
    run = run_layer(bias(fields), [X, np.ones(shape)], device=device)
    assert run.params == []
    np.testing.assert_allclose(run.tops[0], X + 1, atol=1e-6)
    check_gradient(bias(fields), [X, random.standard_normal(shape)], device=device)


def test_filler():
    assert run_layer(bias("filler { value: 3 }"), [X]).params[0].tolist() == [3, 3, 3]
    assert run_layer(bias(), [X]).params[0].tolist() == [0, 0, 0]


def test_gradient_of_the_bottom_alone(device):
    want = Wanted(bottoms=(True,), params=(False,))
    assert run_layer(bias(), [X], top_diffs=[X], want=want, device=device).param_diffs == [None]


def test_errors():
    with pytest.raises(NetError, match="num_axes 4 from axis 1 is beyond the bottom's 4 axes"):
        run_layer(bias("num_axes: 4"), [X])
    with pytest.raises(NetError, match="num_axes must be -1 or more, got -2"):
        run_layer(bias("num_axes: -2"), [X])
    with pytest.raises(NetError, match="axis 4 is out of range"):
        run_layer(bias("axis: 4"), [X])
    with pytest.raises(NetError, match=r'second bottom whose shape is that of axes 1 to 1 .*"bottom1" 4'):
        run_layer(bias(), [X, np.ones(4)])
