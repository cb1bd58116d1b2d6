"""Deploy nets: what becomes of losses, labels, heads and data; and the same outputs as the trained net's."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.errors import DataError, NetError
from brew.graph.rewriting.deploy import deploy
from brew.layer import TEST, TRAIN
from brew.net.net import Net
from brew.proto.brew_pb2 import LayerParameter, NetParameter

DATA = """
layer { name: "train" type: "Data" top: "data" top: "label" include { phase: TRAIN }
        data_param { source: "none" batch_size: 8 } transform_param { crop_size: 6 mirror: true } }
layer { name: "test" type: "Data" top: "data" top: "label" include { phase: TEST }
        data_param { source: "none" batch_size: 4 }
        transform_param { crop_size: 6 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 } }
"""
IP = """
layer {{ name: "{0}" type: "InnerProduct" bottom: "{1}" top: "{0}" param {{ lr_mult: 1 }} param {{ lr_mult: 2 }}
         inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} bias_filler {{ value: 1 }} }} }}
"""
LOSS = """
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" include { phase: TEST } }
"""


def made(text: str, **options: object) -> NetParameter:
    return deploy(prototxt.parse(text, NetParameter), **options).net  # type: ignore[arg-type]


def layers(net: NetParameter) -> list[tuple[str, str, list[str], list[str]]]:
    return [(x.name, x.type, list(x.bottom), list(x.top)) for x in net.layer]


def test_a_classifier():
    result = deploy(prototxt.parse('name: "n"' + DATA + IP.format("fc", "data") + LOSS, NetParameter))
    assert result.net.name == "n"
    assert layers(result.net) == [
        ("data", "Input", [], ["data"]),
        ("fc", "InnerProduct", ["data"], ["fc"]),
        ("prob", "Softmax", ["fc"], ["prob"]),
    ]
    assert list(result.net.layer[0].input_param.shape[0].dim) == [1, 3, 6, 6]
    bare = 'name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 3 }'
    assert result.net.layer[1] == prototxt.parse(bare, LayerParameter).message
    text = result.text("train_val.prototxt")
    assert text.startswith("# Made by Brew from train_val.prototxt, whose weights fit.\n# data (1 x 3 x 6 x 6): pixels")
    assert "minus 104, 117, 123 by" in text and "the middle 6 x 6; times 0.5" in text.replace("\n#  ", "")
    assert prototxt.parse(text, NetParameter).message == result.net
    assert max(map(len, text.splitlines())) <= 102


@pytest.mark.parametrize(
    ("loss", "becomes"),
    [
        ('type: "SoftmaxWithLoss" softmax_param { axis: 2 }', 'type: "Softmax" softmax_param { axis: 2 }'),
        ('type: "InfogainLoss" infogain_loss_param { axis: 2 source: "h" }', 'type: "Softmax" softmax_param { axis: 2 }'),
        ('type: "SigmoidCrossEntropyLoss"', 'type: "Sigmoid"'),
        ('type: "EuclideanLoss"', None),
        ('type: "HingeLoss"', None),
    ],
)  # fmt: skip
def test_losses(loss: str, becomes: str | None):
    net = made(DATA + IP.format("fc", "data") + f'layer {{ name: "l" {loss} bottom: "fc" bottom: "label" }}')
    if becomes is None:
        assert [layer.name for layer in net.layer] == ["data", "fc"]
    else:
        given = f'name: "prob" bottom: "fc" top: "prob" {becomes}'
        assert net.layer[2] == prototxt.parse(given, LayerParameter).message


def test_the_second_top_of_a_loss_keeps_its_name():
    loss = 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "l" top: "p" }'
    assert layers(made(DATA + IP.format("fc", "data") + loss))[-1] == ("prob", "Softmax", ["fc"], ["p"])


def test_a_lighter_head_of_the_same_label_goes():
    heads = (
        IP.format("conv", "data") + IP.format("aux", "conv") + IP.format("fc", "conv")
        + 'layer { name: "light" type: "SoftmaxWithLoss" bottom: "aux" bottom: "label" loss_weight: 0.3 }'
        + 'layer { name: "top5" type: "Accuracy" bottom: "aux" bottom: "label" top: "top5" }'
    )  # fmt: skip
    result = deploy(prototxt.parse(DATA + heads + LOSS, NetParameter))
    assert [layer.name for layer in result.net.layer] == ["data", "conv", "fc", "prob"]
    assert result.notes[-1] == "Left out as heads that only training needs: light."
    both = made(DATA + heads + LOSS, auxiliary=True)
    assert [layer.name for layer in both.layer] == ["data", "conv", "aux", "fc", "aux_prob", "fc_prob"]


def test_heads_of_different_labels_all_stay():
    text = """
    layer { name: "d" type: "HDF5Data" top: "data" top: "label" top: "age" hdf5_data_param { source: "x" batch_size: 2 } }
    """ + IP.format("fc", "data") + IP.format("years", "data") + LOSS  # fmt: skip
    text += 'layer { name: "l2" type: "EuclideanLoss" bottom: "years" bottom: "age" top: "l2" loss_weight: 0.1 }'
    net = made(text, shapes={"data": (1, 5)})
    assert [layer.name for layer in net.layer] == ["data", "fc", "years", "prob"]


def test_what_is_made_of_labels_or_only_silenced_goes():
    rest = """
    layer { name: "cut" type: "Slice" bottom: "label" top: "l1" top: "l2" }
    layer { name: "minus" type: "Eltwise" bottom: "fc" bottom: "l1" top: "minus" }
    layer { name: "abs" type: "Reduction" bottom: "minus" top: "abs" loss_weight: 1 }
    layer { name: "show" type: "TanH" bottom: "fc" top: "show" }
    layer { name: "quiet" type: "Silence" bottom: "l2" }
    """
    net = made(DATA + IP.format("fc", "data") + rest)
    assert layers(net) == [
        ("data", "Input", [], ["data"]),
        ("fc", "InnerProduct", ["data"], ["fc"]),
        ("show", "TanH", ["fc"], ["show"]),
    ]


def test_probabilities_that_are_there_are_not_made_twice():
    prob = 'layer { name: "p" type: "Softmax" bottom: "fc" top: "p" include { phase: TEST } }'
    net = made(DATA + IP.format("fc", "data") + LOSS + prob)
    assert [layer.name for layer in net.layer] == ["data", "fc", "p"] and not net.layer[-1].include


def test_losses_and_data_of_the_train_phase_alone_serve_too():
    loss = LOSS.replace('top: "loss" }', 'top: "loss" include { phase: TRAIN } }')
    data = DATA.split('layer { name: "test"')[0]
    net = made(data + IP.format("fc", "data") + loss)
    assert [(layer.name, layer.type) for layer in net.layer][::2] == [("data", "Input"), ("prob", "Softmax")]


def test_names_of_shared_weights_and_constants_stay():
    twins = IP.format("a", "data").replace("lr_mult: 1", 'name: "w" lr_mult: 1') + IP.format("fc", "data").replace(
        "lr_mult: 1", 'name: "w" lr_mult: 0'
    )
    constant = """
    layer { name: "one" type: "DummyData" top: "one" dummy_data_param { shape { dim: 1 dim: 3 }
            data_filler { type: "constant" value: 2 } } }
    layer { name: "plus" type: "Eltwise" bottom: "a" bottom: "one" top: "plus" }
    """
    net = made(DATA + twins + constant + LOSS)
    by_name = {layer.name: layer for layer in net.layer}
    assert [spec.name for spec in by_name["fc"].param] == ["w"] and not by_name["fc"].param[0].HasField("lr_mult")
    assert by_name["one"].dummy_data_param.data_filler[0].value == 2


def test_old_nets_are_upgraded_on_the_way():
    old = """
    layers { name: "d" type: DATA top: "data" top: "label" data_param { source: "no" batch_size: 2 crop_size: 5 } }
    layers { name: "fc" type: INNER_PRODUCT bottom: "data" top: "fc" blobs_lr: 1 blobs_lr: 2
             inner_product_param { num_output: 2 } }
    layers { name: "l" type: SOFTMAX_LOSS bottom: "fc" bottom: "label" }
    """
    net = made(old, batch=7)
    assert [layer.type for layer in net.layer] == ["Input", "InnerProduct", "Softmax"] and not net.layers
    assert list(net.layer[0].input_param.shape[0].dim) == [7, 3, 5, 5]


def test_a_deploy_net_stays_as_it_is():
    first = deploy(prototxt.parse(DATA + IP.format("fc", "data") + LOSS, NetParameter), batch=3)
    assert made(first.text()) == first.net


def test_what_cannot_be_made():
    with pytest.raises(NetError, match="nothing is left"):
        made(DATA)
    with pytest.raises(NetError, match='no layer above makes its bottom "nope"'):
        made(DATA + IP.format("fc", "nope") + LOSS)
    with pytest.raises(NetError, match='unknown type "Nonsense"'):
        made(DATA + IP.format("fc", "data").replace("InnerProduct", "Nonsense") + LOSS)
    unknown = DATA.replace("crop_size: 6", "mirror: false")
    with pytest.raises(DataError, match=r"--shape data:"):
        made(unknown.replace("mirror: true", "") + IP.format("fc", "data") + LOSS)


TINY = """
name: "tiny"
layer { name: "d" type: "DummyData" top: "data" top: "label" dummy_data_param {
        shape { dim: 4 dim: 3 dim: 6 dim: 6 } shape { dim: 4 } data_filler { type: "gaussian" }
        data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""


def test_the_trained_weights_give_the_same_outputs(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "net.prototxt").write_text(TINY)
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path / "net.prototxt"}" base_lr: 0.1 lr_policy: "fixed" max_iter: 5 random_seed: 3'
    )
    solver = brew.get_solver(str(tmp_path / "solver.prototxt"))
    solver.step(5)
    solver.net.save(tmp_path / "w.caffemodel")
    (tmp_path / "deploy.prototxt").write_text(deploy(tmp_path / "net.prototxt", batch=2).text())

    tested = Net(tmp_path / "net.prototxt", TEST, weights=tmp_path / "w.caffemodel")
    tested.run_forward()
    with caplog.at_level(logging.WARNING, "brew"):
        deployed = Net(tmp_path / "deploy.prototxt", TEST, weights=tmp_path / "w.caffemodel")
    assert not caplog.records
    assert list(deployed.params) == list(tested.params) and deployed.outputs == ["prob"]
    images = tested.blobs["data"].data[:2]
    prob = deployed.forward(data=images)["prob"]
    scores = np.exp(tested.blobs["fc"].data[:2])
    np.testing.assert_allclose(prob, scores / scores.sum(axis=1, keepdims=True), rtol=1e-5)
    assert prob.std() > 0.01
    assert Net(tmp_path / "net.prototxt", TRAIN).params.keys() == deployed.params.keys()


TWO = """
layer {{ name: "d" type: "Input" top: "data" top: "info" input_param {{ {0} }} }}
layer {{ name: "{1}" type: "InnerProduct" bottom: "info" top: "x" inner_product_param {{ num_output: 3 }} }}
""".replace("{{", "{").replace("}}", "}")
FOUR = "shape { dim: [1, 3, 6, 6] } shape { dim: [1, 4, 1, 1] }"


def two(shapes: str = FOUR, name: str = "ip") -> str:
    return TWO.replace("{0}", shapes).replace("{1}", name) + IP.format("fc", "data")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (two(), ["data", "info"]),
        (two("shape { dim: [1, 3, 6, 6] }"), ["data", "info"]),
        (two(name="info"), ["data", "d"]),
        (two(name="info").replace('"fc"', '"data"', 1), ["d", "info_input"]),
        (two(name="d").replace('name: "fc"', 'name: "data"'), ["data_input", "info"]),
    ],
)
def test_every_input_has_a_layer_of_its_own(text: str, names: list[str]):
    net = made(text)
    inputs = [layer for layer in net.layer if layer.type == "Input"]
    assert [list(layer.top) for layer in inputs] == [["data"], ["info"]]
    assert all(len(layer.input_param.shape) == 1 for layer in inputs)
    assert len({layer.name for layer in net.layer}) == len(net.layer)
    assert Net(prototxt.parse(prototxt.to_text(net), NetParameter), TEST).inputs == ["data", "info"]


def test_what_other_readers_do_not_know_or_need():
    text = DATA + """
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
            convolution_param { num_output: 4 kernel_size: 3 engine: CUDNN } }
    layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" batch_norm_param { use_global_stats: false eps: 0.1 } }
    layer { name: "bn2" type: "BatchNorm" bottom: "conv" top: "bn2" batch_norm_param { use_global_stats: true } }
    layer { name: "relu" type: "ReLU" bottom: "bn2" top: "bn2" relu_param { engine: ONEDNN negative_slope: 0.017 } }
    """ + IP.format("fc", "bn2") + LOSS  # fmt: skip
    result = deploy(prototxt.parse(text, NetParameter))
    written = result.text()
    assert "engine" not in written and "use_global_stats: false" not in written.split("layer {", 1)[1]
    by_name = {layer.name: layer for layer in result.net.layer}
    assert by_name["bn"].batch_norm_param.eps == pytest.approx(0.1) and by_name["bn2"].batch_norm_param.use_global_stats
    assert "# Left out: use_global_stats: false of 1 BatchNorm layers; the learned averages count." in written
    assert "negative_slope: 0.017\n" in written


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ("resize_param { height: 9 width: 8 }", "resized to 9 x 8; minus"),
        ("resize_param { height: 9 width: 8 resize_mode: FIT_SMALL_SIZE }", "resized to 9 x 8 (FIT_SMALL_SIZE); minus"),
    ],
)
def test_the_size_before_the_crop_is_told(fields: str, says: str):
    text = DATA.replace("crop_size: 6", f"crop_h: 5 crop_w: 6 {fields}") + IP.format("fc", "data") + LOSS
    result = deploy(prototxt.parse(text, NetParameter))
    written = result.text().replace("\n#  ", "")
    assert says in written and "the middle 5 x 6; times 0.5" in written
    assert list(result.net.layer[0].input_param.shape[0].dim) == [1, 3, 5, 6]


@pytest.mark.parametrize("value", ["0.017", "0.00390625", "103.939", "1e-05", "0.1"])
def test_numbers_are_written_in_the_fewest_digits(value: str):
    text = DATA.replace("scale: 0.5", f"scale: {value}").replace("117", value) + IP.format("fc", "data") + LOSS
    written = deploy(prototxt.parse(text, NetParameter)).text().replace("\n#  ", "")
    assert f"minus 104, {value}, 123 by channel" in written and f"times {value}\n" in written


@pytest.mark.parametrize(
    ("shapes", "field"),
    [
        (FOUR, "input_dim: 1\ninput_dim: 3\ninput_dim: 6\ninput_dim: 6\ninput_dim: 1\ninput_dim: 4\n"),
        ("shape { dim: [1, 3, 6, 6] } shape { dim: [1, 4] }", "input_shape {\n  dim: 1\n  dim: 4\n}\n"),
    ],
)
def test_inputs_as_fields_of_the_net(shapes: str, field: str):
    document = prototxt.parse(two(shapes), NetParameter)
    result = deploy(document, input_fields=True)
    assert list(result.net.input) == ["data", "info"] and "Input" not in {layer.type for layer in result.net.layer}
    assert field in result.text()
    layered = deploy(document).net
    ours, old = (Net(prototxt.parse(prototxt.to_text(net), NetParameter), TEST) for net in (layered, result.net))
    assert {name: blob.shape for name, blob in ours.blobs.items()} == {n: b.shape for n, b in old.blobs.items()}


def test_what_a_slice_has_beside_the_top_that_is_read_stays_silenced():
    """The steps of an LSTM before the last one would be outputs else."""
    cut = """
    layer { name: "cut" type: "Slice" bottom: "data" top: "before" top: "last" slice_param { axis: 2 slice_point: 5 } }
    layer { name: "quiet" type: "Silence" bottom: "before" }
    """
    net = made('name: "n"' + DATA + cut + IP.format("fc", "last") + LOSS)
    assert ("quiet", "Silence", ["before"], []) in layers(net)
    assert list(Net(net, TEST).outputs) == ["prob"]
