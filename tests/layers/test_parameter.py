from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.testing import check_gradient, run_layer

TEXT = 'type: "Parameter" parameter_param { shape { dim: 2 dim: 3 } }'


def test_gives_out_its_blob(device):
    value = np.arange(6.0).reshape(2, 3)
    run = run_layer(TEXT, [], params=[value], top_diffs=[value + 1], device=device)
    assert (run.tops[0] == value).all()
    assert (run.param_diffs[0] == value + 1).all()  # added to what was there: brew.testing sees to that
    check_gradient(TEXT, [], params=[value], device=device)


@pytest.mark.parametrize(("shape", "expected"), [("", ()), ("shape { dim: 0 dim: 2 }", (0, 2))])
def test_begins_as_zeros(shape, expected, device):
    run = run_layer(
        f'type: "Parameter" parameter_param {{ {shape} }}', [], top_diffs=[np.ones(expected)], device=device
    )
    assert run.tops[0].shape == run.param_diffs[0].shape == expected
    assert not run.tops[0].any()


def test_frozen(device):
    run = run_layer(TEXT, [], top_diffs=[np.ones((2, 3))], device=device, want=Wanted((), (False,)))
    assert run.param_diffs == [None]


def test_negative_size():
    with pytest.raises(NetError, match=r"a shape with a negative size, \[-1\]"):
        run_layer('type: "Parameter" parameter_param { shape { dim: -1 } }', [])
