from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
X = random.standard_normal((2, 3, 4, 5))
IN_PLACE = 'bottom: "x" top: "x"'


def scale(fields: str = "", names: str = "") -> str:
    return f'type: "Scale" {names} scale_param {{ {fields} }}'


@pytest.mark.parametrize("names", ["", IN_PLACE])
def test_worked_by_hand(names, device):
    run = run_layer(
        scale("bias_term: true", names),
        [[[1, 2], [3, 4]]],
        params=[[10, 100], [1, 2]],
        top_diffs=[[[1, 2], [3, 4]]],
        device=device,
    )
    assert run.tops[0].tolist() == [[11, 202], [31, 402]]
    assert run.bottom_diffs[0].tolist() == [[10, 200], [30, 400]]
    assert [d.tolist() for d in run.param_diffs] == [[1 + 9, 4 + 16], [4, 6]]


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ("", (3,)),
        ("axis: 0 bias_term: true", (2,)),
        ("axis: -1", (5,)),
        ("num_axes: 2 bias_term: true", (3, 4)),
        ("num_axes: 0 bias_term: true", ()),
        ("axis: 0 num_axes: -1", (2, 3, 4, 5)),  # all of x: Caffe overwrites this gradient
    ],
)
@pytest.mark.parametrize("names", ["", IN_PLACE])
def test_shapes_and_gradients(fields, shape, names, device):
    text = scale(fields, names)
    shapes = [p.shape for p in run_layer(text, [X], device=device).params]
    assert shapes == [shape] * (1 + ("bias_term" in fields))
    check_gradient(text, [X], params=[random.standard_normal(s) for s in shapes], device=device)


def test_batch_of_one(device):
    check_gradient(scale(), [X[:1]], params=[[1, 2, 3]], device=device)  # the other case of Caffe's overwriting


@pytest.mark.parametrize("names", ["", 'bottom: "x" bottom: "a" top: "x"'])
@pytest.mark.parametrize(
    ("fields", "shape"), [("", (3, 4)), ("axis: 0 bias_term: true", (2,)), ("axis: 2", ()), ("axis: 0", X.shape)]
)
def test_second_bottom(fields, shape, names, device):
    text = scale(fields, names)
    run = run_layer(text, [X, np.full(shape, 2.0)], device=device)
    assert [p.shape for p in run.params] == [shape] * ("bias_term" in fields)
    np.testing.assert_allclose(run.tops[0], 2 * X, rtol=1e-6)
    check_gradient(text, [X, random.standard_normal(shape)], device=device)


def test_fillers():
    assert [p.tolist() for p in run_layer(scale("bias_term: true"), [X]).params] == [[1, 1, 1], [0, 0, 0]]
    given = run_layer(scale("bias_term: true filler { value: 2 } bias_filler { value: 3 }"), [X])
    assert [p.tolist() for p in given.params] == [[2, 2, 2], [3, 3, 3]]


@pytest.mark.parametrize("names", ["", IN_PLACE])
def test_some_gradients_only(names, device):
    text = scale("bias_term: true", names)
    whole = run_layer(text, [X], params=[[1, 2, 3], [4, 5, 6]], top_diffs=[X], device=device)
    for bottoms, params in (((True,), (False, False)), ((True,), (True, False)), ((False,), (False, True))):
        some = run_layer(
            text, [X], params=[[1, 2, 3], [4, 5, 6]], top_diffs=[X], device=device, want=Wanted(bottoms, params)
        )
        for diff, full, wanted in zip(
            some.bottom_diffs + some.param_diffs, whole.bottom_diffs + whole.param_diffs, bottoms + params, strict=True
        ):
            assert (diff is None) != wanted
            assert diff is None or (diff == full).all()


def test_errors():
    with pytest.raises(NetError, match="num_axes 4 from axis 1 is beyond the bottom's 4 axes"):
        run_layer(scale("num_axes: 4"), [X])
    with pytest.raises(NetError, match=r'second bottom whose shape is that of axes 1 to 2 .*"bottom1" 4 x 3'):
        run_layer(scale(), [X, np.ones((4, 3))])
