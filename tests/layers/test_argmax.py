from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import run_layer

random = np.random.default_rng(0)


def argmax(fields=""):
    return f'type: "ArgMax" argmax_param {{ {fields} }}'


def expected(x, axis, k):
    """Places and values along an axis, by a stable sort: of equal values the last comes first."""
    order = np.flip(np.argsort(x, axis, kind="stable"), axis).take(range(k), axis)
    return order, np.take_along_axis(x, order, axis)


@pytest.mark.parametrize("fields", ["", "axis: -1"])
def test_ties_go_to_the_last(fields, device):
    x = [[3.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0], [-np.inf, -np.inf, -5.0, -np.inf]]
    for k, places in ((1, [[2], [3], [2]]), (3, [[2, 0, 3], [3, 2, 1], [2, 3, 1]])):
        y = run_layer(argmax(f"{fields} top_k: {k}"), [x], device=device).tops[0]
        assert y.reshape(3, k).tolist() == places


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.parametrize(
    "shape", [(3, 5), (3, 4, 5), (2, 5, 6, 7), (2, 3, 300), (5,), (1, 5, 1, 1, 1), (70, 1000), (0, 5), (2, 6, 0)]
)
def test_along_each_axis(shape, k, device):
    x = random.integers(0, 9, shape)  # many ties
    for axis in range(-1, len(shape)):
        if shape[axis] >= k:
            for fields, want in zip(("", "out_max_val: true"), expected(x, axis, k), strict=True):
                y = run_layer(argmax(f"axis: {axis} top_k: {k} {fields}"), [x], device=device).tops[0]
                assert y.shape == want.shape and (y == want).all()


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("shape", [(3, 5), (3, 4, 5), (2, 3, 4, 5), (2, 1, 3, 2, 100), (0, 5)])
def test_of_whole_items(shape, k, device):
    x = random.integers(0, 9, shape)
    places, values = expected(x.reshape(shape[0], int(np.prod(shape[1:]))), 1, k)
    behind = [1] * (len(shape) - 3)
    y = run_layer(argmax(f"top_k: {k}"), [x], device=device).tops[0]
    assert y.shape == (shape[0], 1, k, *behind) and (y.reshape(places.shape) == places).all()
    both = run_layer(argmax(f"top_k: {k} out_max_val: true"), [x], device=device).tops[0]
    assert both.shape == (shape[0], 2, k, *behind)
    assert (both.reshape(shape[0], 2, k) == np.stack([places, values], 1)).all()


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("width", [3, 300])
def test_nan_is_largest(width, k, device):
    x = random.standard_normal((2, width))
    x[0, 1] = np.nan
    y = run_layer(argmax(f"out_max_val: true top_k: {k}"), [x], device=device).tops[0]
    assert y[0, 0, 0] == 1 and np.isnan(y[0, 1, 0])
    assert y[0, 0, 1:].tolist() == [np.nanargmax(x[0])] * (k - 1)
    assert y[1, 0, 0] == np.argmax(x[1])


def test_no_gradient():
    assert run_layer(argmax(), [[[1.0, 2.0]]], top_diffs=[[[[1.0]]]]).bottom_diffs == [None]


@pytest.mark.parametrize(
    ("fields", "shape", "message"),
    [
        ("top_k: 0", (2, 3), "top_k must be at least 1"),
        ("top_k: 4", (2, 3), "top_k 4 is more than the 3 elements"),
        ("top_k: 3 axis: 0", (2, 3), "top_k 3 is more than the 2 elements"),
        ("axis: 2", (2, 3), "axis 2 is out of range for 2 axes"),
        ("", (), "a bottom of at least 1 axis"),
    ],
)
def test_errors(fields, shape, message):
    with pytest.raises(NetError, match=message):
        run_layer(argmax(fields), [np.zeros(shape)])
