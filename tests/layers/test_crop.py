from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

X = np.arange(2 * 3 * 6 * 5, dtype=np.float32).reshape(2, 3, 6, 5)


def crop(fields):
    return f'type: "Crop" crop_param {{ {fields} }}'


@pytest.mark.parametrize(
    ("fields", "reference", "window"),
    [
        ("", (9, 9, 4, 5), np.s_[:, :, :4]),
        ("offset: 1", (1, 1, 3, 4), np.s_[:, :, 1:4, 1:5]),
        ("offset: 2 offset: 0", (1, 1, 3, 2), np.s_[:, :, 2:5, :2]),
        ("axis: -1 offset: 4", (1, 1, 1, 1), np.s_[..., 4:]),
        ("axis: 1 offset: 1 offset: 0 offset: 2", (7, 1, 6, 3), np.s_[:, 1:2, :, 2:]),
        ("axis: 0", X.shape, np.s_[:]),
        ("axis: 0 offset: 0 offset: 1 offset: 2 offset: 3", (1, 1, 2, 2, 8), np.s_[:1, 1:2, 2:4, 3:]),
        ("axis: 3", (1, 1, 1, 0), np.s_[..., :0]),
    ],
)
def test_cuts_a_window(fields, reference, window, device):
    y = X[window]
    run = run_layer(crop(fields), [X, np.zeros(reference)], top_diffs=[y + 1], device=device)
    assert run.tops[0].shape == y.shape and (run.tops[0] == y).all()
    dx = np.zeros_like(X)
    dx[window] = y + 1
    assert (run.bottom_diffs[0] == dx).all()
    assert run.bottom_diffs[1].shape == reference and not run.bottom_diffs[1].any()
    if y.size:
        check_gradient(crop(fields), [X, np.zeros(reference)], device=device)


def test_empty_batch(device):
    assert run_layer(crop(""), [np.ones((0, 3, 6, 5)), np.ones((0, 1, 2, 2))], device=device).tops[0].shape == (
        0,
        3,
        2,
        2,
    )


@pytest.mark.parametrize(
    ("fields", "reference", "message"),
    [
        ("axis: 4", X.shape, "axis 4 is out of range for 4 axes"),
        ("", (2, 3, 6), "a second bottom with as many axes as the first"),
        (
            "",
            (2, 3, 7, 5),
            r"the window, 2 x 3 x 7 x 5 from \(0, 0, 0, 0\) on, to lie within the first bottom; .*\"bottom0\" 2 x 3 x 6 x 5",
        ),
        ("offset: 3", (2, 3, 3, 3), r"the window, 2 x 3 x 3 x 3 from \(0, 0, 3, 3\) on, to lie within"),
        ("offset: 1 offset: 1 offset: 1", (2, 3, 3, 3), "3 offsets for 2 axes: none, one, or one per axis"),
    ],
)
def test_errors(fields, reference, message):
    with pytest.raises(NetError, match=message):
        run_layer(crop(fields), [X, np.zeros(reference)])
