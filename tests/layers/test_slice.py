from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

X = np.arange(48, dtype=np.float32).reshape(2, 6, 4)
TWO, THREE = 'top: "a" top: "b"', 'top: "a" top: "b" top: "c"'


@pytest.mark.parametrize(
    ("tops", "fields", "pieces"),
    [
        (THREE, "", [X[:, :2], X[:, 2:4], X[:, 4:]]),
        (THREE, "slice_point: 1 slice_point: 4", [X[:, :1], X[:, 1:4], X[:, 4:]]),
        (TWO, "axis: -1 slice_point: 3", [X[:, :, :3], X[:, :, 3:]]),
        (TWO, "slice_dim: 0", [X[:1], X[1:]]),
        ('top: "a"', "", [X]),
    ],
)
def test_cuts_along_the_axis(tops, fields, pieces, device):
    text = f'type: "Slice" {tops} slice_param {{ {fields} }}'
    run = run_layer(text, [X], top_diffs=[p + 1 for p in pieces], device=device)
    for y, piece in zip(run.tops, pieces, strict=True):
        assert y.shape == piece.shape and (y == piece).all()
    assert (run.bottom_diffs[0] == X + 1).all()
    check_gradient(text, [X], device=device)


def test_empty_batch(device):
    run = run_layer(f'type: "Slice" {TWO}', [np.ones((0, 4))], device=device)
    assert [y.shape for y in run.tops] == [(0, 2), (0, 2)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("axis: 0 slice_point: 1 slice_point: 2", "2 tops need 1 slice points, got 2"),
        ("slice_point: 6", r"slice points \[6\] to increase strictly between 0 and the size of the sliced axis"),
        ("slice_point: 0", r"slice points \[0\] to increase"),
        ("axis: 3", "axis 3 is out of range for 3 axes"),
        ("axis: 1 slice_dim: 1", "axis and slice_dim mean the same"),
    ],
)
def test_errors(fields, message):
    with pytest.raises(NetError, match=message):
        run_layer(f'type: "Slice" {TWO} slice_param {{ {fields} }}', [X])


def test_pieces_must_be_equal():
    with pytest.raises(NetError, match=r"a size of the sliced axis that 3 tops divide; .* 2 x 4"):
        run_layer(f'type: "Slice" {THREE}', [np.ones((2, 4))])
