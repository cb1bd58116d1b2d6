from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

X = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)


def reshape(dims: list[int], fields: str = "") -> str:
    shape = " ".join(f"dim: {d}" for d in dims)
    return f'name: "r" type: "Reshape" reshape_param {{ shape {{ {shape} }} {fields} }}'


@pytest.mark.parametrize(
    ("dims", "fields", "shape"),
    [
        ([6, 20], "", (6, 20)),
        ([0, -1], "", (2, 60)),
        ([0, 0, 20], "", (2, 3, 20)),
        ([-1], "axis: 1 num_axes: 2", (2, 12, 5)),
        ([2, 0], "axis: 1 num_axes: 2", None),  # 0 copies axis 2, 4: 2 x 4 is not 3 x 4
        ([0, 2, 2], "axis: 1 num_axes: 2", (2, 3, 2, 2, 5)),
        ([1], "axis: 0 num_axes: 0", (1, 2, 3, 4, 5)),
        ([1], "axis: -1 num_axes: 0", (2, 3, 4, 5, 1)),
        ([], "axis: 4", (2, 3, 4, 5)),
        ([20], "axis: -3", (2, 3, 20)),
        ([10, 2], "axis: -3 num_axes: -1", (2, 3, 10, 2)),
    ],
)
def test_shapes(dims, fields, shape, device):
    if shape is None:
        with pytest.raises(NetError, match="as many elements as the top"):
            run_layer(reshape(dims, fields), [X], device=device)
        return
    run = run_layer(reshape(dims, fields), [X], top_diffs=[np.ones(shape)], device=device)
    assert run.tops[0].shape == shape
    assert (run.tops[0].ravel() == X.ravel()).all()
    assert run.bottom_diffs[0].shape == X.shape and (run.bottom_diffs[0] == 1).all()


def test_gradient(device):
    check_gradient(reshape([-1, 10]), [X], device=device)


@pytest.mark.parametrize(
    ("dims", "shape", "top"), [([0, -1], (0, 3, 4), (0, 12)), ([-1, 4], (0, 4), (0, 4)), ([-1, 0], (0, 4), (0, 4))]
)
def test_empty_batch(dims, shape, top):
    assert run_layer(reshape(dims), [np.ones(shape)]).tops[0].shape == top


@pytest.mark.parametrize(
    ("dims", "fields", "message"),
    [
        ([7, -1], "", 'a count divisible by 7, for -1; bottoms are "bottom0" 2 x 3 x 4 x 5'),
        ([7], "", "as many elements as the top 7 has, 7"),
        ([-1, -1], "", r"shape \[-1, -1\] must hold sizes, 0 and at most one -1"),
        ([-2], "", r"shape \[-2\] must hold sizes"),
        ([0, 0, 0, 0, 0], "", "dim 4 is 0, to be copied from axis 4, but the bottom has 4"),
        ([0], "axis: 5", r"axis 5 is out of range for 4 axes \(-5 to 4\)"),
        ([0], "axis: 2 num_axes: 3", "num_axes 3 from axis 2 is beyond the bottom's 4 axes"),
        ([0], "num_axes: -2", "num_axes must be -1 or more, got -2"),
    ],
)
def test_errors(dims, fields, message):
    with pytest.raises(NetError, match=message):
        run_layer(reshape(dims, fields), [X])
