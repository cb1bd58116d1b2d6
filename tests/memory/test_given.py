"""Host views that nobody holds cost nothing: they are not kept up to date, and weights count as they were."""

from __future__ import annotations

import gc

import numpy as np

import brew
from brew import prototxt
from brew.memory.given import GivenViews
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 16 dim: 12 dim: 12 } } }
layer { name: "a" type: "Convolution" bottom: "x" top: "a"
        convolution_param { num_output: 32 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "b" type: "Convolution" bottom: "a" top: "b"
        convolution_param { num_output: 16 kernel_size: 3 weight_filler { type: "xavier" } } }
"""
X = np.random.default_rng(3).normal(size=(1, 16, 12, 12)).astype(np.float32)


def net_of(device: str) -> Net:
    net = Net(prototxt.parse(NET, NetParameter), brew.TEST, device=device, seed=4)
    net.forward(x=X)
    return net


def passes(net: Net, number: int = 20) -> None:
    for _ in range(number):
        net.forward(x=X)


def test_it_is_known_whether_a_view_is_held() -> None:
    given, host = GivenViews(), np.zeros(6, np.float32)
    assert not given.used()
    view = given.view(host, (2, 3))
    assert given.used() and given.used(), "it is held"
    part = view[1]
    del view
    gc.collect()
    assert given.used(), "a part of it is held"
    del part
    assert not given.used()
    given.view(host, (6,))[...] = 1
    assert given.used() and not given.used()
    assert (host == 1).all()
    view = given.view(host, (6,))
    assert not any(given.idle() for _ in range(30))
    del view
    assert given.idle()
    assert given.view(np.zeros(0, np.float32), (0, 4)).shape == (0, 4)


def test_a_view_that_nobody_holds_is_not_kept_up_to_date(device: str) -> None:
    net = net_of(device)
    shapes = [blob.data.shape for blob in net.blobs.values()]
    memory = net.blobs["a"].data_memory
    net.forward(x=X)
    passes(net)
    assert memory.resting is memory.mirrored
    first = net.blobs["a"].data.copy()
    net.forward(x=2 * X)
    second = net.blobs["a"].data
    assert np.abs(second - first).max() > 0.1 and len(shapes) == 3
    passes(net)
    np.testing.assert_array_equal(second, first)  # it is held, and so it follows
    second[...] = 7
    net.forward(start="b")
    assert (net.blobs["a"].data == 7).all()


def test_weights_that_nobody_can_write_to_count_as_they_were(device: str) -> None:
    net = net_of(device)
    shapes = [blob.data.shape for blob in net.params["a"]]
    passes(net, 2)
    version = net.parameters.changes.number
    passes(net)
    assert net.parameters.changes.number == version and len(shapes) == 2
    held = net.params["a"][0].data
    passes(net, 3)
    assert net.parameters.changes.number == version + 3
    before = net.blobs["b"].data.copy()
    held *= 2
    passes(net, 1)
    assert np.abs(net.blobs["b"].data - before).max() > 0.1


def test_what_is_written_to_weights_counts_in_a_pass_from_the_middle(device: str) -> None:
    net = net_of(device)
    net.params["b"][1].data[...] = 0.5
    net.params["b"][0].data[...] *= 4
    part = net.forward(start="b")["b"].copy()
    np.testing.assert_array_equal(net.forward(x=X)["b"], part)


def test_and_in_a_pass_that_a_callback_writes_in(device: str) -> None:
    net = net_of(device)
    net.forward(x=X)
    expected = 4 * net.blobs["b"].data

    def enlarge(layer: int) -> None:
        if layer == 1:
            net.params["b"][0].data[...] *= 4

    net.after_forward(enlarge)
    np.testing.assert_allclose(net.forward(x=X)["b"], expected, rtol=1e-4, atol=1e-4)
