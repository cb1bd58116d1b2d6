from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer.random import Stream
from brew.testing import check_gradient, run_layer

X = np.random.default_rng(0).standard_normal((7, 31)).astype(np.float32)


def dropout(ratio: float, names: str = "") -> str:
    return f'name: "drop" type: "Dropout" {names} dropout_param {{ dropout_ratio: {ratio} }}'


@pytest.mark.parametrize("names", ["", 'bottom: "x" top: "x"'])
def test_keeps_where_the_draw_reaches_the_ratio(names, device):
    run = run_layer(dropout(0.25, names), [X], top_diffs=[X + 1], seed=5, passes=3, device=device)
    kept = Stream(5, "drop/dropout").uint16(X.size, index=3).reshape(X.shape) >= 2**14
    np.testing.assert_allclose(run.tops[0], np.where(kept, X / 0.75, 0), rtol=1e-6)
    np.testing.assert_allclose(run.bottom_diffs[0], np.where(kept, (X + 1) / 0.75, 0), rtol=1e-6)


def test_masks_differ_by_pass_seed_and_name():
    ones = [np.ones(64)]
    masks = [
        run_layer(dropout(0.5), ones).tops[0],
        run_layer(dropout(0.5), ones, passes=1).tops[0],
        run_layer(dropout(0.5), ones, seed=1).tops[0],
        run_layer(dropout(0.5).replace("drop", "other", 1), ones).tops[0],
    ]
    assert len({m.tobytes() for m in masks}) == 4


def test_share_of_zeros_in_large_blobs():
    count = 300_000  # several chunks of draws
    y = run_layer(dropout(0.3), [np.ones(count)]).tops[0]
    assert abs(np.mean(y == 0) - 0.3) < 0.005
    kept = Stream(0, "drop/dropout").uint16(count) >= round(0.3 * 2**16)
    assert ((y != 0) == kept).all()


def test_test_phase_is_the_identity(device):
    run = run_layer(dropout(0.5), [X], top_diffs=[X], phase="TEST", device=device)
    assert (run.tops[0] == X).all() and (run.bottom_diffs[0] == X).all()


def test_ratio_zero_keeps_all(device):
    assert (run_layer(dropout(0), [X], device=device).tops[0] == X).all()


@pytest.mark.parametrize("ratio", [1, -0.5])
def test_ratio_out_of_range(ratio):
    with pytest.raises(NetError, match=rf'layer "drop" \(Dropout\): dropout_ratio must be in \[0, 1\), got {ratio}'):
        run_layer(dropout(ratio), [X])


def test_gradient(device):
    check_gradient(dropout(0.4), [X], device=device)
