"""A net's figures: counted by hand, and equal to what the net itself predicts and allocates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brew import prototxt
from brew.errors import DataError
from brew.layer import TEST, TRAIN
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.reports.summary import facts, summarise

NET = """
name: "small"
layer { name: "data" type: "Input" top: "data" top: "label"
        input_param { shape { dim: 2 dim: 4 dim: 9 dim: 9 } shape { dim: 2 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 6 kernel_size: 3 stride: 2 group: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
layer { name: "ip" type: "InnerProduct" bottom: "bn" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
"""


def net(text: str) -> NetParameter:
    return prototxt.parse(text, NetParameter).message


def adds(layer: str, *bottoms: str) -> int:
    """The multiply-adds of one layer over inputs of these shapes ("2x3x4")."""
    text = ""
    for i, bottom in enumerate(bottoms):
        dims = " ".join(f"dim: {n}" for n in bottom.split("x"))
        text += f'layer {{ name: "i{i}" type: "Input" top: "i{i}" input_param {{ shape {{ {dims} }} }} }}\n'
        layer = f'{layer} bottom: "i{i}"'
    return summarise(net(f'{text} layer {{ name: "x" top: "y" {layer} }}')).layers[-1].multiply_adds


def test_a_small_net_by_hand():
    summary = summarise(net(NET))
    layers = {layer.name: layer for layer in summary.layers}
    assert layers["conv"].tops == (("conv", (2, 6, 4, 4)),)
    assert layers["conv"].parameter_shapes == ((6, 2, 3, 3), (6,))
    assert layers["conv"].multiply_adds == 2 * 6 * 4 * 4 * 2 * 3 * 3
    assert layers["conv"].memory == 4 * (2 * 6 * 4 * 4 + 6 * 2 * 9 + 6)
    assert layers["relu"].memory == 0
    assert layers["ip"].multiply_adds == 2 * 96 * 3
    assert (layers["bn"].parameters, layers["bn"].multiply_adds) == (13, 0)
    assert summary.parameters == 114 + 13 + 291 and summary.learned == 114 + 291
    assert summary.multiply_adds == 3456 + 576 and summary.batch == 2
    assert not any(layer.split for layer in summary.layers)


@pytest.mark.parametrize(
    ("layer", "bottoms", "expected"),
    [
        ('type: "Convolution" convolution_param { num_output: 5 kernel_size: 3 pad: 1 }', ["2x4x6x6"], 2 * 5 * 36 * 36),
        ('type: "Deconvolution" convolution_param { num_output: 5 kernel_size: 4 stride: 2 }', ["2x4x3x3"],
         2 * 4 * 9 * 5 * 16),
        ('type: "InnerProduct" inner_product_param { num_output: 7 axis: 2 }', ["2x3x4x5"], 6 * 20 * 7),
        ('type: "LSTM" recurrent_param { num_output: 8 }', ["5x2x3", "5x2"], 10 * 32 * (3 + 8)),
        ('type: "LSTM" recurrent_param { num_output: 8 }', ["5x2x3", "5x2", "2x6"], 10 * 32 * (3 + 8) + 2 * 32 * 6),
        ('type: "RNN" recurrent_param { num_output: 8 }', ["5x2x3", "5x2"], 10 * 8 * (3 + 8 + 8)),
        ('type: "Pooling" pooling_param { kernel_size: 2 }', ["2x3x4x4"], 0),
    ],
)  # fmt: skip
def test_multiply_adds(layer: str, bottoms: list[str], expected: int):
    assert adds(layer, *bottoms) == expected


def test_several_bottoms_of_a_convolution_add_up():
    fields = 'type: "Convolution" convolution_param { num_output: 5 kernel_size: 1 } top: "z"'
    assert adds(fields, "2x4x6x6", "2x4x6x6") == 2 * (2 * 36 * 5 * 4)


def test_the_memory_is_what_the_net_predicts():
    summary = summarise(net(NET), history_slots=2)
    assert summary.training == Net(net(NET), TRAIN, history_slots=2, keep=()).memory
    without_loss = net(NET.split('layer { name: "loss"')[0])
    assert summarise(without_loss).training is None
    assert summarise(without_loss).inference == Net(without_loss, TRAIN, keep=(), forward_only=True).memory
    assert summary.inference.gradients == summary.inference.param_gradients == summary.inference.history == 0


def test_shared_parameters_count_once_and_splits_are_marked():
    twins = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 } } }
    layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" param { name: "w" } param { name: "b" lr_mult: 0 }
            inner_product_param { num_output: 2 } }
    layer { name: "b" type: "InnerProduct" bottom: "data" top: "b" param { name: "w" } param { name: "b" }
            inner_product_param { num_output: 2 } }
    """
    summary = summarise(net(twins))
    assert summary.parameters == 10 and summary.learned == 8
    assert [(layer.name, layer.split) for layer in summary.layers] == [
        ("data", False), ("data_data_0_split", True), ("a", False), ("b", False),
    ]  # fmt: skip


def test_a_batch_replaces_the_first_axis():
    summary = summarise(net(NET), batch=5)
    assert summary.batch == 5 and dict(summary.layers[0].tops) == {"data": (5, 4, 9, 9), "label": (5,)}
    assert summary.multiply_adds == (3456 + 576) * 5 // 2


DATA = 'layer {{ name: "data" type: "{type}" top: "data" top: "label" {fields} }}'
MISSING = 'data_param { source: "nowhere" batch_size: 8 }'


@pytest.mark.parametrize(
    ("kind", "fields", "shape", "said"),
    [
        ("Data", MISSING + " transform_param { crop_size: 5 }", (8, 3, 5, 5), "3 channels are a guess"),
        ("Data", MISSING + " transform_param { crop_size: 5 force_gray: true }", (8, 1, 5, 5), "crop_size says so"),
        ("Data", MISSING + " transform_param { crop_size: 5 mean_value: 1 mean_value: 2 }", (8, 2, 5, 5), "crop_size"),
        ("ImageData", 'image_data_param { source: "no" batch_size: 2 new_height: 6 new_width: 7 }', (2, 3, 6, 7), "new"),
        ("WindowData", 'window_data_param { source: "no" batch_size: 2 } transform_param { crop_size: 9 }',
         (2, 3, 9, 9), "crop_size says so"),
    ],
)  # fmt: skip
def test_what_is_assumed_where_the_data_is_missing(kind: str, fields: str, shape: tuple[int, ...], said: str):
    summary = summarise(net(DATA.format(type=kind, fields=fields)))
    assert summary.layers[0].tops == (("data", shape), ("label", shape[:1]))
    assert summary.layers[0].type == kind
    [assumed] = summary.assumed
    assert 'layer "data" brings' in assumed and said in assumed


def test_a_mean_file_tells_the_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from brew.proto.brew_pb2 import BlobProto

    mean = BlobProto(num=1, channels=1, height=4, width=6, data=np.zeros(24))
    (tmp_path / "mean").write_bytes(mean.SerializeToString())
    monkeypatch.chdir(tmp_path)
    summary = summarise(net(DATA.format(type="Data", fields=MISSING + ' transform_param { mean_file: "mean" }')))
    assert summary.layers[0].tops[0] == ("data", (8, 3, 4, 6)) and "the mean file says so" in summary.assumed[0]


def test_data_of_unknown_shape_asks_for_it():
    text = net(DATA.format(type="Data", fields=MISSING))
    with pytest.raises(DataError, match=r"does not tell the shape .* nowhere.*--shape data:"):
        summarise(text)
    summary = summarise(text, shapes={"data": (4, 1, 2, 2)})
    assert dict(summary.layers[0].tops) == {"data": (4, 1, 2, 2), "label": (4,)} and not summary.assumed


def test_facts_add_up():
    given = facts(summarise(net(NET), TEST))
    assert given["phase"] == "TEST" and given["training_bytes"] is None
    assert given["parameters"] == sum(layer["parameters"] for layer in given["layers"]) == 418
    assert {layer["name"]: layer["tops"] for layer in given["layers"]}["conv"] == {"conv": [2, 6, 4, 4]}
