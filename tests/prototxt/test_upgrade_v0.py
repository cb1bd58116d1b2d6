"""The format of 2013: every field, padding layers, and what cannot be carried over."""

from __future__ import annotations

import logging

import pytest

from brew import prototxt
from brew.errors import NetError
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt.upgrade import upgrade_net


def document(text: str) -> prototxt.Document[NetParameter]:
    return prototxt.parse(text, NetParameter, "net.prototxt")


def message(text: str) -> NetParameter:
    return document(text).message


def upgraded(text: str) -> NetParameter:
    given = document(text)
    return upgrade_net(given.message, given).message()


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="brew")
    return caplog


@pytest.mark.parametrize(
    ("v0", "today"),
    [
        (
            'type: "data" source: "s" batchsize: 3 rand_skip: 4 scale: 0.5 meanfile: "m" cropsize: 7 mirror: true',
            'type: "Data" data_param { source: "s" batch_size: 3 rand_skip: 4 } '
            'transform_param { scale: 0.5 mean_file: "m" crop_size: 7 mirror: true }',
        ),
        (
            'type: "images" source: "s" batchsize: 3 rand_skip: 4 shuffle_images: true new_height: 5 new_width: 6',
            'type: "ImageData" image_data_param { source: "s" batch_size: 3 rand_skip: 4 shuffle: true '
            "new_height: 5 new_width: 6 }",
        ),
        (
            'type: "window_data" source: "s" batchsize: 3 det_fg_threshold: 0.6 det_bg_threshold: 0.4 '
            'det_fg_fraction: 0.3 det_context_pad: 2 det_crop_mode: "square"',
            'type: "WindowData" window_data_param { source: "s" batch_size: 3 fg_threshold: 0.6 bg_threshold: 0.4 '
            'fg_fraction: 0.3 context_pad: 2 crop_mode: "square" }',
        ),
        (
            'type: "hdf5_data" source: "s" batchsize: 3',
            'type: "HDF5Data" hdf5_data_param { source: "s" batch_size: 3 }',
        ),
        (
            'type: "hdf5_output" hdf5_output_param { file_name: "f" }',
            'type: "HDF5Output" hdf5_output_param { file_name: "f" }',
        ),
        ('type: "infogain_loss" source: "s"', 'type: "InfogainLoss" infogain_loss_param { source: "s" }'),
        ('type: "dropout" dropout_ratio: 0.3', 'type: "Dropout" dropout_param { dropout_ratio: 0.3 }'),
        ('type: "concat" concat_dim: 0', 'type: "Concat" concat_param { concat_dim: 0 }'),
        ('type: "conv" pad: 1 group: 2', 'type: "Convolution" convolution_param { pad: 1 group: 2 }'),
        (
            'type: "pool" pool: STOCHASTIC pad: 1',
            'type: "Pooling" pooling_param { pool: STOCHASTIC pad: 1 }',
        ),
        ('type: "im2col" blobs { num: 1 data: 2 }', 'type: "Im2col" blobs { num: 1 data: 2 }'),
        ('type: "softmax_loss"', 'type: "SoftmaxWithLoss"'),
    ],
)
def test_every_field_of_2013(v0: str, today: str, said: pytest.LogCaptureFixture):
    wanted = message(f'layer {{ name: "a" {today} top: "x" }}')
    assert upgraded(f'layers {{ layer {{ name: "a" {v0} }} top: "x" }}') == wanted
    assert [r for r in said.records if r.levelno > logging.INFO] == []


def test_a_field_of_another_type_is_left_out_and_named(said: pytest.LogCaptureFixture):
    text = """state { level: 1 }
layers { layer { name: "r" type: "relu"
  local_size: 3 } loss_weight: 2
}"""
    given = document(text)
    result = upgrade_net(given.message, given)
    assert result.message() == message('layer { name: "r" type: "ReLU" }')
    assert not result.complete
    assert said.messages[:3] == [
        "net.prototxt:1:1: a net in the format of 2013 has no state: left out",
        'net.prototxt:3:19: layer "r" (relu): loss_weight beside `layer`, where the format of 2013 has none: left out',
        'net.prototxt:3:3: layer "r" (relu): local_size does not belong to this type: left out',
    ]


def test_an_entry_of_2014_among_those_of_2013_keeps_its_fields():
    text = 'layers { layer { name: "a" type: "relu" } } layers { name: "b" type: POOLING pooling_param { stride: 3 } }'
    assert upgraded(text) == message(
        'layer { name: "a" type: "ReLU" } layer { name: "b" type: "Pooling" pooling_param { stride: 3 } }'
    )


def test_padding_is_folded_by_the_newest_blob_of_its_name():
    """Both convolutions read "x": the first one padded, the second one as a pooling has made it again."""
    text = """
    input: "d"
    layers { layer { name: "p" type: "padding" pad: 3 } bottom: "d" top: "x" }
    layers { layer { name: "a" type: "pool" pad: 1 } bottom: "x" top: "x" }
    layers { layer { name: "b" type: "conv" pad: 1 } bottom: "x" top: "y" }
    """
    a, b = upgraded(text).layer
    assert (list(a.bottom), a.pooling_param.pad) == (["d"], 3)
    assert (list(b.bottom), list(b.convolution_param.pad)) == (["x"], [1])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            'layers { layer { name: "p" type: "padding" } bottom: "d" top: "x" }\n'
            'layers { layer { name: "r" type: "relu" } bottom: "x" top: "y" }',
            r'^net.prototxt:2:43: layer "r" \(relu\) reads the padding layer "p"; only conv and pool',
        ),
        (
            'layers { layer { name: "p" type: "padding" } bottom: "d" top: "x" }\n'
            'layers { layer { name: "c" type: "conv" } bottom: "x" bottom: "d" top: "y" }',
            r'^net.prototxt:2:55: layer "c" \(conv\) reads the padding layer "p" and has 2 bottoms',
        ),
        (
            'layers { layer { name: "p" type: "padding" } bottom: "d" top: "x" top: "z" }\n'
            'layers { layer { name: "c" type: "conv" } bottom: "x" top: "y" }',
            r'^net.prototxt:1:58: layer "p" \(padding\) has 2 tops',
        ),
        (
            'layers { layer { name: "c" type: "convo" } }',
            r'^net.prototxt:1:28: layer "c": the format of 2013 has no type "convo" \(did you mean "conv"',
        ),
        (
            'layer { name: "new" type: "ReLU" }\nlayers { name: "old" type: RELU }',
            r"^net.prototxt:1:1: `layer` stands beside `layers` \(at net.prototxt:2:1\)",
        ),
        ('layer { type: "ReLU" } layers { layer { type: "relu" } }', "stands beside"),
    ],
)
def test_what_cannot_be_upgraded(text: str, says: str):
    with pytest.raises(NetError, match=says):
        upgraded(text)
