"""What an error says a wrong word may have meant: words of old formats, of other frameworks, and slips."""

from __future__ import annotations

import pytest

from brew.errors import PrototxtError
from brew.graph.foreign import unknown_layer_hint
from brew.layer.registry import layer_class
from brew.proto import brew_pb2
from brew.proto.brew_pb2 import NetParameter, SolverParameter
from brew.prototxt import parse
from brew.prototxt.other_words import FIELDS, LAYER_TYPES


def hint(text: str, kind: type[NetParameter] | type[SolverParameter] = NetParameter) -> str:
    with pytest.raises(PrototxtError) as caught:
        parse(text, kind)
    return caught.value.hint or ""


RATE = "param { lr_mult: 1 }, one param { } for each blob of the layer"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("blobs_lr: 0", f"it is written {RATE}"),
        ("weight_decay: 1", "it is written param { decay_mult: 1 }, one"),
        ("kernelsize: 3", "it is written convolution_param { kernel_size: 3 }"),
        ("cropsize: 3", "it is written transform_param { crop_size: 227 }"),
        ("lstm_param { num_output: 3 }", 'did you mean "recurrent_param"?'),
        ("conv_param { }", 'did you mean "convolution_param"?'),
        ("conv_parm { }", 'did you mean "convolution_param"?'),
        ("convolution_params { }", 'did you mean "convolution_param"?'),
        ("hinge_param { }", 'did you mean "hinge_loss_param"?'),
        ("relu6_param { }", 'it is written clip_param { min: 0 max: 6 }, of a layer { type: "Clip" }'),
        ("selu_dropout_param { }", "no layer type of Brew has parameters of this name"),
        ("some_detection_output_param { }", "no layer type of Brew has parameters of this name"),
        ("lr_mult: 1", "lr_mult stands inside param { }"),
        ('type: "Pooling" kernel_size: 3', "kernel_size stands inside pooling_param { }"),
        ("base_lr: 1", "base_lr is a field of the solver"),
        ("param { base_lr: 1 }", "base_lr is a field of the solver"),
        ("param { lr: 1 }", 'did you mean "lr_mult"?'),
        ("param { weight_decay: 1 }", 'did you mean "decay_mult"?'),
        ("convolution_param { filters: 3 }", 'did you mean "num_output"?'),
        ("convolution_param { kernal_size: 3 }", 'did you mean "kernel_size"?'),
        ("convolution_param { lr_mult: 1 }", "lr_mult stands inside param { } of the layer"),
        ("data_param { mean_value: 104 }", "mean_value stands inside transform_param { } of the layer"),
        ("include: TRAIN", "as in include { phase: TRAIN }"),
        ('param: "w"', 'as in param { name: "w" }'),
        ('convolution_param { weight_filler: "xavier" }', 'as in weight_filler { type: "xavier" }'),
        ("input_param { shape: 3 }", "as in shape { dim: 1 dim: 3 }"),
        ("type: CONVOLUTION", 'write type: "Convolution"'),
        ("type: SOFTMAX_LOSS", 'write type: "SoftmaxWithLoss"'),
        ("type: Convolution", 'write type: "Convolution"'),
    ],
)
def test_a_word_that_is_none_of_a_layer(text: str, said: str):
    assert hint(f'layer {{ name: "a" {text} }}').startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr_mult: 1", "it is written blobs_lr: 1, once for each blob"),
        ("lstm_param { }", 'it is written recurrent_param, of a layer { type: "LSTM" }'),
        ("param { lr_mult: 1 }", 'in "layers", rates are blobs_lr: 1 and names of shared weights param: "w"'),
        ("type: Convolution", 'did you mean "CONVOLUTION"?'),
    ],
)
def test_a_word_that_is_none_of_2014(text: str, said: str):
    assert hint(f'layers {{ name: "a" {text} }}') == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr: 0.1", 'did you mean "base_lr"?'),
        ("step: 10", 'did you mean "stepsize"?'),
        ("steps: 10", 'did you mean "stepvalue"?'),
        ('optimizer: "Adam"', 'did you mean "type"?'),
        ("batch_size: 3", "it is written in a data layer of the net"),
        ("crop_size: 3", "crop_size is a field of DataParameter and ImageDataParameter"),
        ("num_output: 3", "num_output is a field of ConvolutionParameter"),
        ("layer { }", "this looks like a net file; a solver file was expected"),
        ("test_state: TEST", 'as in test_state { stage: "deploy" }'),
    ],
)
def test_a_word_that_is_none_of_a_solver(text: str, said: str):
    assert hint(text, SolverParameter).startswith(said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("CONVOLUTION", 'did you mean "Convolution"?'),
        ("innerproduct", 'did you mean "InnerProduct"?'),
        ("SOFTMAX_LOSS", 'did you mean "SoftmaxWithLoss"?'),
        ("SoftmaxLoss", 'did you mean "SoftmaxWithLoss"?'),
        ("Dense", 'did you mean "InnerProduct"?'),
        ("LeakyReLU", 'it is type: "ReLU" with relu_param { negative_slope: 0.1 }.'),
        ("AvgPool", 'it is type: "Pooling" with pooling_param { pool: AVE }.'),
        ("Yolov3DetectionOutput", "Yolov3DetectionOutput comes from MobileNet-YOLO and is not available here"),
    ],
)
def test_a_type_that_is_called_otherwise(name: str, said: str):
    assert unknown_layer_hint(name).startswith(said)


def test_the_words_are_of_others_and_mean_what_there_is():
    schema = brew_pb2.DESCRIPTOR.message_types_by_name
    for message, meanings in FIELDS.items():
        fields = schema[message].fields_by_name
        for meant, words in meanings.items():
            assert not meant.isidentifier() or meant in fields, meant
            assert words == words.lower() and not set(words.split()) & set(fields), (message, words)
    for meant, words in LAYER_TYPES.items():
        assert not meant.isidentifier() or layer_class(meant) is not None, meant
        assert all(layer_class(word) is None for word in words.split())
    told = [word for words in LAYER_TYPES.values() for word in words.split()]
    assert len(told) == len(set(told))
