from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("fields", "axis"), [("", 1), ("axis: 0", 0), ("axis: -1", 2), ("axis: 2", 2), ("concat_dim: 0", 0)]
)
def test_joins_along_the_axis(fields, axis, device):
    shape = [2, 3, 4]
    bottoms = []
    for width in (1, 5, 2):
        shape[axis] = width
        bottoms.append(random.standard_normal(shape).astype(np.float32))
    whole = np.concatenate(bottoms, axis)
    run = run_layer(f'type: "Concat" concat_param {{ {fields} }}', bottoms, top_diffs=[whole + 1], device=device)
    assert (run.tops[0] == whole).all()
    for x, dx in zip(bottoms, run.bottom_diffs, strict=True):
        assert (dx == x + np.float32(1)).all()


def test_one_gradient_alone(device):
    want = Wanted(bottoms=(False, True), params=())
    run = run_layer(
        'type: "Concat"', [np.ones((1, 1)), np.ones((1, 2))], top_diffs=[[[1, 2, 3]]], want=want, device=device
    )
    assert run.bottom_diffs[0] is None
    assert run.bottom_diffs[1].tolist() == [[2, 3]]


def test_single_bottom_is_passed_on(device):
    check_gradient('type: "Concat"', [random.standard_normal((2, 3))], device=device)


@pytest.mark.parametrize("shapes", [[(0, 2), (0, 3)], [(2, 0), (2, 3)]])
def test_empty_bottoms(shapes, device):
    check_gradient('type: "Concat"', [np.ones(s) for s in shapes], device=device)


def test_errors():
    with pytest.raises(NetError, match='differ in axis 1 only; bottoms are "bottom0" 2 x 3, "bottom1" 4 x 3'):
        run_layer('type: "Concat"', [np.ones((2, 3)), np.ones((4, 3))])
    with pytest.raises(NetError, match="differ in axis 1 only"):
        run_layer('type: "Concat"', [np.ones((2, 3)), np.ones((2, 3, 1))])
    with pytest.raises(NetError, match="axis 2 is out of range for 2 axes"):
        run_layer('type: "Concat" concat_param { axis: 2 }', [np.ones((2, 3))] * 2)
    with pytest.raises(NetError, match="axis and concat_dim mean the same"):
        run_layer('type: "Concat" concat_param { axis: 1 concat_dim: 1 }', [np.ones((2, 3))] * 2)
