from __future__ import annotations

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.errors import NetError
from brew.layer import Wanted
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.testing import check_gradient, run_layer

IN_PLACE = 'bottom: "x" top: "x"'
random = np.random.default_rng(0)


def kinkless(shape):
    return random.uniform(0.1, 1, shape) * random.choice([-1, 1], shape)


@pytest.mark.parametrize("names", ["", IN_PLACE])
def test_worked_by_hand(names, device):
    x = [[[2.0, -4.0], [0.0, -1.0]]]
    dy = [[[1, 10], [100, 1000]]]
    run = run_layer(f'type: "PReLU" {names}', [x], params=[[0.5, -3.0]], top_diffs=[dy], device=device)
    assert run.tops[0].tolist() == [[[2, -2], [0, 3]]]
    assert run.bottom_diffs[0].tolist() == [[[1, 5], [-300, -3000]]]  # the slope holds at 0
    assert run.param_diffs[0].tolist() == [-40, -1000]


def test_a_quarter_without_a_filler():
    assert run_layer('type: "PReLU"', [np.ones((1, 3))]).params[0].tolist() == [0.25] * 3
    given = run_layer('type: "PReLU" prelu_param { channel_shared: true filler { value: 2 } }', [np.ones((1, 3))])
    assert given.params[0].shape == () and given.params[0] == 2


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("fields", ["", "channel_shared: true"])
@pytest.mark.parametrize("shape", [(4, 7), (0, 3), (1, 1, 1, 1), (2, 3, 40000), (3, 40000), (2, 3, 4, 5)])
def test_gradient(shape, fields, names, device):
    text = f'type: "PReLU" prelu_param {{ {fields} }} {names}'
    slope = random.uniform(-1, 1, () if fields else shape[1])
    check_gradient(text, [kinkless(shape)], params=[slope], device=device)


@pytest.mark.parametrize("names", ["", IN_PLACE])
@pytest.mark.parametrize("want", [Wanted((True,), (False,)), Wanted((False,), (True,))])
def test_one_gradient_only(want, names, device):
    x = kinkless((2, 3, 4))
    run, whole = (run_layer(f'type: "PReLU" {names}', [x], top_diffs=[x], device=device, want=w) for w in (want, None))
    for diff, full, wanted in ((run.bottom_diffs, whole.bottom_diffs, want.bottoms),
                               (run.param_diffs, whole.param_diffs, want.params)):  # fmt: skip
        assert (diff[0] is not None) == wanted[0]
        assert diff[0] is None or (diff[0] == full[0]).all()


def test_channels_are_needed():
    with pytest.raises(NetError, match=r'at least 2 axes; bottoms are "bottom0" 3'):
        run_layer('type: "PReLU"', [np.ones(3)])


@pytest.mark.onednn
def test_a_net_without_gradients_runs_by_onednn():
    text = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 8 dim: 2 dim: 2 } } }'
    net = prototxt.parse(text + 'layer { name: "p" type: "PReLU" bottom: "x" top: "y" }', NetParameter)
    run = Net(net, brew.TEST, engine="onednn", forward_only=True)
    run.blobs["x"].data[...] = -2
    assert (run.forward()["y"] == -0.5).all()
