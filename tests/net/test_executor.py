"""Arrays are bound anew whenever a shape or a memory has changed, by any cause."""

from __future__ import annotations

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

VIEWS = """
layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 2 dim: 3 dim: 2 } } }
layer { name: "power" type: "Power" bottom: "in" top: "x" power_param { scale: 2 } }
layer { name: "flat" type: "Flatten" bottom: "x" top: "flat" }
layer { name: "again" type: "Reshape" bottom: "flat" top: "again" reshape_param { shape { dim: 0 dim: 2 dim: -1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "again" top: "y"
  inner_product_param { num_output: 1 weight_filler { type: "constant" value: 1 } } }
"""


def net_of(text: str, **options: object) -> Net:
    return Net(prototxt.parse(text, NetParameter), brew.TEST, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["x", "flat", "again", "y"])
def test_a_blob_reshaped_by_hand_is_what_its_layer_makes_of_it_again(device: str, name: str):
    net = net_of(VIEWS, device=device)
    for value in (1, 2, 3):
        net.blobs["in"].data[...] = value
        assert (net.forward()["y"] == 12 * value).all()
        net.blobs[name].reshape(50 * value, 7)
        assert net.blobs[name].data.shape == (50 * value, 7)
    assert net.forward()["y"].shape == (2, 1)


def test_a_reshape_that_a_parameter_cannot_follow_changes_nothing():
    weight = net_of(VIEWS).params["ip"][0]
    with pytest.raises(ValueError, match="cannot grow"):
        weight.reshape(100, 3)
    assert weight.shape == weight.data.shape == (1, 6)


def test_force_backward_reaches_parameters_whose_layer_has_no_gradient_to_give():
    text = """
    force_backward: true
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 } } }
    layer { name: "embed" type: "Embed" bottom: "x" top: "y" embed_param { input_dim: 3 num_output: 2 } }
    """
    net = net_of(text)
    net.forward()
    net.backward(y=np.ones((2, 2)))
    np.testing.assert_array_equal(net.params["embed"][0].diff, [[2, 2], [0, 0], [0, 0]])


def test_mistakes_in_calls_are_errors_of_ours():
    net = net_of(VIEWS)
    with pytest.raises(brew.BrewError, match=r'diff of "y" is 2 x 2, the blob 2 x 1'):
        net.backward(y=np.zeros((2, 2)))
    for call in (net.forward, net.backward):
        with pytest.raises(brew.BrewError, match=r'no blob "flt" \(did you mean "flat"'):
            call(["flt"])


def test_a_top_may_have_the_name_of_an_automatic_one():
    net = net_of(VIEWS.replace('"flat"', '"(automatic)"'))
    assert list(net.forward()) == ["y"]


def test_the_nets_own_state_says_the_phase_of_its_layers():
    text = """state { phase: TRAIN }
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 } } }
    layer { name: "drop" type: "Dropout" bottom: "x" top: "y" include { phase: TRAIN } }
    """
    net = net_of(text)
    assert net.phase == net.layer_dict["drop"].context.phase == brew.TRAIN


def test_a_step_stays_bound_until_a_blob_of_its_own_changes():
    text = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
    text += ' layer { name: "r" type: "ReLU" bottom: "x" top: "y" }'
    net, other = net_of(text), net_of(text)
    net.forward()
    bound = net.executor.steps[1].io
    other.blobs["x"].reshape(5, 3)
    other.forward()
    net.forward()
    assert net.executor.steps[1].io is bound
    net.blobs["x"].reshape(4, 3)
    net.blobs["x"].data[...] = -1.0
    net.blobs["x"].data[3] = 2.0
    assert net.forward()["y"].tolist() == [[0.0] * 3] * 3 + [[2.0] * 3]
    assert net.executor.steps[1].io is not bound


ENDS = """force_backward: true
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 3, 8, 8] } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "ip" type: "InnerProduct" bottom: "c" top: "y"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Reduction" bottom: "y" top: "sum" }
"""


@pytest.mark.parametrize("options", [{}, {"keep": ["c"]}, {"keep": ["c"], "forward_only": True}, {"engine": "caffe"}])
def test_a_pass_that_ends_early_asks_nothing_of_the_layers_behind(device: str, options: dict[str, object]):
    net = net_of(ENDS, device=device, **options)
    net.blobs["x"].data[...] = 1
    before = net.forward()["sum"].copy()
    for size in (10, 12, 12, 5):
        net.blobs["x"].reshape(1, 3, size, size)
        net.blobs["x"].data[...] = 1
        out = net.forward(end="relu")["c"]
        assert out.shape == (1, 4, size - 2, size - 2)
        np.testing.assert_allclose(out, np.broadcast_to(out[..., :1, :1], out.shape), rtol=1e-5)
        for _ in range(2):
            with pytest.raises(brew.BrewError, match=r'layer "ip".*parameter 0 is 2 x 144'):
                net.forward()
    net.blobs["x"].reshape(1, 3, 8, 8)
    net.blobs["x"].data[...] = 1
    np.testing.assert_array_equal(net.forward()["sum"], before)


def test_backward_from_where_a_pass_ended(device: str):
    net = net_of(ENDS, device=device)
    net.blobs["x"].reshape(2, 3, 9, 9)
    net.blobs["x"].data[...] = np.random.default_rng(5).normal(size=(2, 3, 9, 9))
    net.forward(end="relu")
    net.blobs["c"].diff[...] = 1
    net.backward(start="relu")
    other = net_of(ENDS.split('layer { name: "ip"')[0], device=device)
    other.params["conv"][0].data[...] = net.params["conv"][0].data
    other.blobs["x"].reshape(2, 3, 9, 9)
    other.blobs["x"].data[...] = net.blobs["x"].data
    other.forward()
    other.blobs["c"].diff[...] = 1
    other.backward()
    np.testing.assert_array_equal(net.blobs["x"].diff, other.blobs["x"].diff)


def test_layers_behind_follow_where_they_can(device: str):
    net = net_of(VIEWS, device=device)
    net.blobs["in"].reshape(4, 3, 2)
    net.blobs["in"].data[...] = 1
    net.forward(end="power")
    assert (net.forward(start="flat")["y"] == np.full((4, 1), 12)).all()
