from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

X = np.arange(12, dtype=np.float32).reshape(2, 3, 2)


def tile(fields):
    return f'type: "Tile" tile_param {{ {fields} }}'


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("tiles", [1, 3])
def test_repeats_the_whole_axis(axis, tiles, device):
    text = tile(f"axis: {axis} tiles: {tiles}")
    y = np.concatenate([X] * tiles, axis)
    run = run_layer(text, [X], top_diffs=[y], device=device)
    assert run.tops[0].tolist() == y.tolist()
    assert run.bottom_diffs[0].tolist() == (tiles * X).tolist()
    check_gradient(text, [X], device=device)


def test_axis_1_is_the_default(device):
    assert run_layer(tile("tiles: 2"), [X], device=device).tops[0].shape == (2, 6, 2)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (1, 1, 1, 1)])
def test_empty_and_single(shape, device):
    run = run_layer(
        tile("tiles: 2"), [np.ones(shape)], top_diffs=[np.ones((shape[0], 2 * shape[1], *shape[2:]))], device=device
    )
    assert run.tops[0].shape == (shape[0], 2 * shape[1], *shape[2:])
    assert (run.bottom_diffs[0] == 2).all() and run.bottom_diffs[0].shape == shape


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "tiles must be given and at least 1, got 0"),
        ("tiles: -1", "tiles must be given and at least 1, got -1"),
        ("tiles: 2 axis: 3", "axis 3 is out of range for 3 axes"),
    ],
)
def test_errors(fields, message):
    with pytest.raises(NetError, match=message):
        run_layer(tile(fields), [X])
