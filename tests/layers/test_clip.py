from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.proto.brew_pb2 import LayerParameter
from brew.testing import check_gradient, run_layer

IN_PLACE = 'bottom: "x" top: "x"'
TEXT = 'type: "Clip" clip_param { min: -0.5 max: 2 } '


@pytest.mark.parametrize("names", ["", IN_PLACE])
def test_worked_by_hand(names, device):
    run = run_layer(TEXT + names, [[-1, -0.5, 1, 2, 3]], top_diffs=[[1, 2, 3, 4, 5]], device=device)
    assert run.tops[0].tolist() == [-0.5, -0.5, 1, 2, 2]
    assert run.bottom_diffs[0].tolist() == [0, 2, 3, 4, 0]  # the bounds belong to the inside


def test_nan_stays(device):
    assert np.isnan(run_layer(TEXT, [[np.nan]], device=device).tops[0]).all()


def test_a_minimum_above_the_maximum_wins(device):
    run = run_layer('type: "Clip" clip_param { min: 3 max: 1 }', [[0, 2, 4]], top_diffs=[np.ones(3)], device=device)
    assert run.tops[0].tolist() == [3, 3, 3]
    assert run.bottom_diffs[0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 20000)])
def test_gradient(shape, names, device):
    x = np.random.default_rng(0).choice([-1.0, -0.4, 0.3, 1.9, 2.5], shape)
    check_gradient(TEXT + names, [x], device=device)


def test_both_bounds_are_needed():
    param = LayerParameter(name="clip", type="Clip", clip_param={"max": 1})
    with pytest.raises(NetError, match=r'layer "clip" \(Clip\): needs clip_param.min'):
        run_layer(param, [[1.0]])
