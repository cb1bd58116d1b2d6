"""Nets that come to use the weights of another net while they run, on both devices."""

from __future__ import annotations

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.errors import NetError
from brew.memory.stamps import Stamps
from brew.net.net import Net
from brew.net.sharing import share
from brew.proto.brew_pb2 import NetParameter

NET = """
name: "n"
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "c"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "twin" type: "Convolution" bottom: "c" top: "d" param { name: "w" }
        convolution_param { num_output: 4 kernel_size: 3 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "again" type: "Convolution" bottom: "d" top: "e" param { name: "w" }
        convolution_param { num_output: 4 kernel_size: 3 bias_term: false weight_filler { type: "xavier" } } }
"""
HEAD = """
layer { name: "own" type: "InnerProduct" bottom: "e" top: "y" inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
"""
X = np.random.default_rng(5).normal(size=(2, 3, 8, 8)).astype(np.float32)


def net_of(text: str, device: str, seed: int) -> Net:
    return Net(prototxt.parse(text, NetParameter), brew.TEST, device=device, seed=seed)


def e_of(net: Net) -> np.ndarray:
    net.forward(x=X)
    return net.blobs["e"].data.copy()


def test_what_changes_in_one_changes_in_the_other(device: str) -> None:
    lender, net = net_of(NET, device, 1), net_of(NET + HEAD, device, 2)
    own = net.params["own"][0].data.copy()
    before, other = e_of(net), e_of(lender)
    assert np.abs(before - other).max() > 1e-3
    share(net, lender)
    np.testing.assert_array_equal(e_of(net), other)
    lender.params["conv"][0].data[...] *= 2  # exposed after they share
    lender.params["again"][0].data[...] *= 2  # shared with "twin" by its name
    assert np.abs(e_of(net) - other).max() > 1e-3
    np.testing.assert_array_equal(e_of(net), e_of(lender))
    net.params["conv"][0].data[...] = 0.5
    np.testing.assert_array_equal(e_of(net), e_of(lender))
    np.testing.assert_array_equal(net.params["own"][0].data, own)


def test_weights_that_are_loaded_into_one_are_in_both(device: str, tmp_path: object) -> None:
    third, lender, net = (net_of(NET, device, seed) for seed in (3, 1, 2))
    third.save(f"{tmp_path}/w.caffemodel")
    share(net, lender)
    e_of(net)
    lender.copy_from(f"{tmp_path}/w.caffemodel")
    np.testing.assert_array_equal(e_of(net), e_of(third))


def test_gradients_stay_apart(device: str) -> None:
    text = "force_backward: true\n" + NET
    lender, net = net_of(text, device, 1), net_of(text, device, 2)
    share(net, lender)
    net.forward(x=X)
    net.backward(e=np.ones(net.blobs["e"].shape))
    assert np.abs(net.params["conv"][0].diff).max() > 0
    assert not lender.params["conv"][0].diff.any()


def test_other_shapes_are_an_error_and_change_nothing() -> None:
    lender, net = net_of(NET.replace("dim: 3", "dim: 1"), "cpu", 1), net_of(NET, "cpu", 2)
    before = e_of(net)
    with pytest.raises(NetError, match=r'layer "conv".*its parameter 0 is 4 x 3 x 3 x 3.*4 x 1 x 3 x 3'):
        share(net, lender)
    np.testing.assert_array_equal(e_of(net), before)


def test_stamps_follow_one_another_without_a_circle() -> None:
    first, second, third = Stamps(), Stamps(), Stamps()
    second.follow(first)
    third.follow(second)
    first.follow(third)  # would be a circle
    first.follow(first)
    first.changed()
    assert (first.latest, second.latest, third.latest) == (1, 1, 1)
    third.changed()
    assert (first.latest, second.latest, third.latest) == (1, 1, 2)
