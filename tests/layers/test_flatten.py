from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

X = np.arange(120, dtype=np.float32).reshape(2, 3, 4, 5)


def flatten(fields: str) -> str:
    return f'type: "Flatten" flatten_param {{ {fields} }}'


@pytest.mark.parametrize(
    ("fields", "shape"),
    [
        ("", (2, 60)),
        ("axis: 0", (120,)),
        ("axis: 2", (2, 3, 20)),
        ("axis: 1 end_axis: 2", (2, 12, 5)),
        ("axis: -2", (2, 3, 20)),
        ("axis: 0 end_axis: -3", (6, 4, 5)),
        ("axis: 1 end_axis: 1", (2, 3, 4, 5)),
        ("axis: 2 end_axis: 1", (2, 3, 1, 4, 5)),  # no axis becomes one of size 1
    ],
)
def test_shapes(fields, shape, device):
    run = run_layer(flatten(fields), [X], top_diffs=[np.ones(shape)], device=device)
    assert run.tops[0].shape == shape
    assert (run.tops[0].ravel() == X.ravel()).all()
    assert run.bottom_diffs[0].shape == X.shape and (run.bottom_diffs[0] == 1).all()


def test_gradient_and_empty_batch(device):
    check_gradient(flatten(""), [X], device=device)
    assert run_layer(flatten(""), [X[:0]], device=device).tops[0].shape == (0, 60)


def test_errors():
    with pytest.raises(NetError, match="end_axis 0 stands before axis 2"):
        run_layer(flatten("axis: 2 end_axis: 0"), [X])
    with pytest.raises(NetError, match="axis 1 is out of range for 1 axes"):
        run_layer(flatten(""), [X.ravel()])
