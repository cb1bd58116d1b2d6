"""Net: building, running, reshaping, sharing; views that stay true. On both devices where arrays are involved."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.errors import BrewError
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

SMALL = """
name: "small"
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 3 dim: 2 dim: 6 dim: 6 } shape { dim: 3 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "flat" type: "Flatten" bottom: "conv" top: "flat" }
layer { name: "ip" type: "InnerProduct" bottom: "flat" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "t" top: "acc" }
"""
FULLY_CONVOLUTIONAL = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "sigmoid" type: "Sigmoid" bottom: "conv" top: "y" }
layer { name: "flat" type: "Flatten" bottom: "y" top: "flat" }
layer { name: "soft" type: "Softmax" bottom: "flat" top: "soft" }
"""


def net_of(text: str, phase: int = brew.TRAIN, **options: object) -> Net:
    return Net(prototxt.parse(text, NetParameter, "net.prototxt"), phase, seed=3, **options)  # type: ignore[arg-type]


def _fill(net: Net, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    net.blobs["x"].data[...] = rng.normal(size=net.blobs["x"].shape)
    if "t" in net.blobs:
        net.blobs["t"].data[...] = rng.integers(0, 5, net.blobs["t"].shape)


def test_names_are_caffes():
    net = net_of(SMALL)
    assert list(net.blobs) == ["x", "t", "t_in_1_split_0", "t_in_1_split_1", "conv", "flat", "ip", "ip_ip_0_split_0",
                               "ip_ip_0_split_1", "loss", "acc"]  # fmt: skip
    assert net.outputs == ["acc", "loss"]  # sorted, as Caffe prints them
    assert net.inputs == ["x", "t"]
    assert [layer.name for layer in net.layers][:3] == ["in", "t_in_1_split", "conv"]
    assert list(net.params) == ["conv", "ip"]
    assert net.blob_loss_weights["loss"] == 1.0
    assert net.top_names["ip"] == ["ip"] and net.bottom_names["ip"] == ["flat"]


def test_the_forward_returns_views_of_the_outputs(device: str):
    net = net_of(SMALL, device=device)
    _fill(net)
    first = net.forward()
    before = first["loss"].copy()
    _fill(net, 1)
    net.forward()
    assert first["loss"] is not before and first["loss"] != before  # the next forward overwrites the view


def test_views_once_handed_out_stay_true(device: str):
    net = net_of(SMALL, device=device)
    views = {name: blob.data for name, blob in net.blobs.items()}
    weight, gradient = net.params["ip"][0].data, net.params["ip"][0].diff
    _fill(net)
    net.forward()
    np.testing.assert_allclose(views["ip"], views["flat"] @ weight.T, rtol=1e-5, atol=1e-5)
    net.backward()
    assert np.abs(gradient).max() > 0
    weight[...] = 0  # writes reach the device before the next pass
    net.forward()
    assert not views["ip"].any()
    net.clear_param_diffs()
    assert not gradient.any()


def test_forward_from_and_to_a_layer(device: str):
    net = net_of(SMALL, device=device)
    _fill(net)
    net.forward()
    net.blobs["flat"].data[...] = 0
    tops = net.forward(start="ip", end="ip")
    assert list(tops) == ["ip"]
    assert not tops["ip"].any()  # biases are zero; the data in flat was not computed again
    with pytest.raises(BrewError, match='no layer "pi"'):
        net.forward(start="pi")


def test_inputs_by_keyword():
    net = net_of(FULLY_CONVOLUTIONAL)
    x = np.random.default_rng(0).normal(size=(2, 2, 6, 6))
    assert net.forward(x=x)["soft"].shape == (2, 64)
    with pytest.raises(BrewError, match="not batch sized"):
        net.forward(x=x[:1])
    with pytest.raises(BrewError, match="inputs are"):
        net.forward(y=x)


def test_reshape_at_run_time_equals_fresh_nets(device: str):
    """Alternating batch and image sizes: storage grows and never shrinks, numbers are those of a new net."""
    net = net_of(FULLY_CONVOLUTIONAL, device=device)
    for batch, size in [(2, 6), (5, 9), (1, 6), (2, 6), (5, 7), (3, 12), (2, 6)]:
        net.blobs["x"].reshape(batch, 2, size, size)
        net.blobs["x"].reshape(batch, 2, size + 9, size + 9)  # on the way to another shape and back
        net.blobs["x"].reshape(batch, 2, size, size)
        _fill(net)
        got = {name: view.copy() for name, view in net.forward().items()}
        fresh = net_of(FULLY_CONVOLUTIONAL.replace("dim: 2 dim: 2 dim: 6 dim: 6",
                                                   f"dim: {batch} dim: 2 dim: {size} dim: {size}"), device=device)  # fmt: skip
        _fill(fresh)
        np.testing.assert_array_equal(got["soft"], fresh.forward()["soft"])


def test_a_shape_the_weights_cannot_take_is_an_error():
    net = net_of(SMALL)
    net.blobs["x"].reshape(3, 2, 8, 8)
    with pytest.raises(BrewError, match=r'layer "ip".*parameter 0 is 5 x 64.*need 5 x 144'):
        net.forward()


def test_backward_of_given_output_gradients(device: str):
    net = net_of("force_backward: true " + FULLY_CONVOLUTIONAL, device=device)
    _fill(net)
    net.forward()
    dy = np.random.default_rng(1).normal(size=(2, 64))
    gradient = net.backward(soft=dy)["x"]
    assert gradient.shape == (2, 2, 6, 6) and np.isfinite(gradient).all() and gradient.any()


def test_split_gradients_add_up(device: str):
    text = """
    force_backward: true
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "a" type: "Eltwise" bottom: "x" bottom: "x" top: "y" eltwise_param { coeff: 2 coeff: 3 } }
    """
    net = net_of(text, device=device)
    net.blobs["x"].data[...] = 1
    assert (net.forward()["y"] == 5).all()
    assert (net.backward(y=np.ones((2, 3)))["x"] == 5).all()


def test_shared_parameters_live_in_one_memory(device: str):
    text = (
        SMALL.replace('name: "ip" type', 'name: "ip" param { name: "w" } type')
        + """
    layer { name: "ip2" param { name: "w" lr_mult: 3 } type: "InnerProduct" bottom: "flat" top: "ip2"
      inner_product_param { num_output: 5 } }
    layer { name: "loss2" type: "EuclideanLoss" bottom: "ip2" bottom: "ip" top: "loss2" }
    """
    )
    net = net_of(text, device=device)
    assert net.params["ip"][0].data_memory is net.params["ip2"][0].data_memory
    assert net.params["ip"][0].diff_memory is net.params["ip2"][0].diff_memory
    assert len(net.parameters.owners) == 5  # conv w and b, ip w and b, ip2 b
    owner = net.graph.params[net.parameters.owners[2]]
    assert owner.lr_mult == 3.0


def test_a_test_net_lives_on_the_train_nets_weights(device: str):
    train = net_of(SMALL, device=device)
    test = net_of(SMALL, brew.TEST, device=device, share=train)
    train.params["ip"][1].data[...] = 7
    assert (test.params["ip"][1].data == 7).all()
    assert test.parameters.arena.size == 0


def test_two_nets_on_two_threads_never_meet():
    def run(seed: int) -> np.ndarray:
        net = net_of(SMALL)
        for _ in range(30):
            _fill(net, seed)
            net.forward()
            net.clear_param_diffs()
            net.backward()
        return net.params["conv"][0].diff.copy()

    alone = [run(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for a, b in zip(alone, pool.map(run, range(4)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_lr_mult_zero_computes_no_gradient():
    net = net_of(SMALL.replace('name: "conv" type', 'name: "conv" param { lr_mult: 0 } param { lr_mult: 0 } type'))
    _fill(net)
    net.forward()
    net.backward()
    assert not net.params["conv"][0].diff.any() and net.params["ip"][0].diff.any()
    assert not net.graph.nodes[2].backward  # nothing learned at conv or below: backward does not run there


def test_phase_level_and_stage_choose_layers():
    text = """
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 } } }
    layer { name: "train" type: "Silence" bottom: "x" include { phase: TRAIN } }
    layer { name: "test" type: "Silence" bottom: "x" include { phase: TEST stage: "a" not_stage: "b" } }
    layer { name: "deep" type: "Silence" bottom: "x" include { min_level: 2 max_level: 3 } }
    layer { name: "shallow" type: "Silence" bottom: "x" exclude { min_level: 1 } }
    """

    def names(**options: object) -> set[str]:
        return {layer.name for layer in net_of(text, **options).layers} - {"in", "x_in_0_split"}  # type: ignore[arg-type]

    assert names(phase=brew.TRAIN) == {"train", "shallow"}
    assert names(phase=brew.TEST, stages=["a"]) == {"test", "shallow"}
    assert names(phase=brew.TEST, stages=["a", "b"]) == {"shallow"}
    assert names(phase=brew.TRAIN, level=2) == {"train", "deep"}


def test_data_layers_give_way_to_shapes():
    text = 'layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "nowhere" batch_size: 2 } }'
    net = net_of(text, shapes={"data": (4, 3, 8, 8)})
    assert net.blobs["data"].shape == (4, 3, 8, 8) and net.blobs["label"].shape == (4,)
    with pytest.raises(BrewError, match="no data layer makes dta"):
        net_of(text, shapes={"dta": (1,)})


def test_net_level_inputs_become_an_input_layer():
    net = net_of('input: "a" input: "b" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4 '
                 "input_dim: 5 input_dim: 6 input_dim: 7 input_dim: 8")  # fmt: skip
    assert net.layers[0].name == "input"
    assert net.blobs["b"].shape == (5, 6, 7, 8)
    with pytest.raises(BrewError, match="2 inputs, but 1 input_shape"):
        net_of('input: "a" input: "b" input_shape { dim: 1 }')


def test_pycaffes_argument_orders(tmp_path: Path):
    (tmp_path / "n.prototxt").write_text(SMALL)
    net = Net(tmp_path / "n.prototxt", brew.TRAIN)
    net.save(tmp_path / "w.caffemodel")
    for other in (
        Net(str(tmp_path / "n.prototxt"), brew.TEST, weights=str(tmp_path / "w.caffemodel")),
        Net(str(tmp_path / "n.prototxt"), str(tmp_path / "w.caffemodel"), brew.TEST),
    ):
        np.testing.assert_array_equal(other.params["ip"][0].data, net.params["ip"][0].data)


def test_memory_is_predicted():
    net = net_of(SMALL)
    floats = 3 * 2 * 36 + 3 + 3 * 4 * 16 + 3 * 5 + 1 + 1  # x, t, conv, ip, loss, acc; splits and flat are views
    assert net.memory.data == 4 * floats
    assert net.memory.params == net.memory.param_gradients == 4 * (4 * 18 + 4 + 5 * 64 + 5)
    assert "Memory predicted" in net.memory.text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('bottom: "flat" top: "ip"', 'bottom: "falt" top: "ip"'), r'net.prototxt:8:.*its bottom "falt" .*"flat"'),
        (('bottom: "conv" top: "flat"', 'bottom: "ip" top: "flat"'), r'layer "ip", further down, makes it'),
        (('top: "acc" }', 'top: "x" }'), r'net.prototxt:11:.*top "x" is already made by layer "in"'),
        (('type: "Flatten"', 'type: "Faltten"'), r'unknown type "Faltten" \(did you mean "Flatten" .*brew layers lists'),
        (('bottom: "ip" bottom: "t" top: "acc"', 'bottom: "ip" top: "acc"'), r'"acc" \(Accuracy\): takes exactly 2 bottoms, 1 .*brew layers Accuracy tells'),
        ((' top: "flat" }', ' top: "conv" } layer { name: "f" type: "Flatten" bottom: "conv" top: "flat" }'), "cannot run in place"),
        (('top: "loss" }', 'top: "loss" loss_weight: 1 loss_weight: 2 loss_weight: 3 }'), "loss_weight is given 3 times"),
        (('name: "ip" type', 'name: "ip" param { } param { } param { } type'), r"has 2 parameter blobs, 3 param .*\(one param"),
        (('bottom: "flat" top: "ip"', 'propagate_down: true propagate_down: true bottom: "flat" top: "ip"'), "propagate_down"),
        (('type: "ReLU"', 'type: "ReLU" include { phase: TRAIN } exclude { phase: TEST }'), "include and exclude"),
        (('bottom: "ip" bottom: "t" top: "loss"', 'bottom: "ip" bottom: "conv" top: "loss"'), "loss"),
    ],
)  # fmt: skip
def test_mistakes_say_where_and_what(change: tuple[str, str], message: str):
    text = SMALL.replace(*change)
    assert text != SMALL
    with pytest.raises(BrewError, match=message) as caught:
        net_of(text)
    assert caught.value.exit_code == 3 and caught.value.place is not None and caught.value.place.line


def test_sharing_of_unequal_shapes_is_refused():
    text = (
        SMALL.replace('name: "ip" type', 'name: "ip" param { name: "w" } type')
        + """
    layer { name: "ip2" param { name: "w" MODE } type: "InnerProduct" bottom: "flat" top: "ip2"
      inner_product_param { num_output: 5 transpose: true } }
    """
    )
    with pytest.raises(BrewError, match=r'shares parameter "w" \(64 x 5\) with layer "ip", whose is 5 x 64'):
        net_of(text.replace("MODE", ""))
    net = net_of(text.replace("MODE", "share_mode: PERMISSIVE"))
    assert net.params["ip2"][0].shape == (64, 5)
