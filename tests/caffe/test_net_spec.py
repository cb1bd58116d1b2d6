"""NetSpec: messages of nets written in Python, their names, and what is told of mistakes."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from brew import TEST
from brew.caffe.net_spec import NetSpec, assign_proto, param_name_dict, to_proto
from brew.caffe.net_spec import layers as L
from brew.caffe.net_spec import params as P
from brew.errors import BrewError
from brew.net import Net
from brew.proto.brew_pb2 import LayerParameter, NetParameter

LENET = """
layer { name: "data" type: "DummyData" top: "data" top: "label" include { phase: TEST } transform_param { scale: 0.5 }
        dummy_data_param { shape { dim: 2 dim: 1 dim: 8 dim: 8 } shape { dim: 2 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { lr_mult: 2 }
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "pool" bottom: "label" top: "loss" loss_weight: 2 }
"""


def message(text: str) -> NetParameter:
    return text_format.Parse(text, NetParameter())


def lenet() -> NetSpec:
    n = NetSpec()
    shapes = [dict(dim=[2, 1, 8, 8]), dict(dim=[2])]
    n.data, n["label"] = L.DummyData(shape=shapes, ntop=2, transform_param=dict(scale=0.5), include=dict(phase=TEST))
    rates = [dict(lr_mult=1), dict(lr_mult=2)]
    n.conv = L.Convolution(n.data, num_output=4, kernel_size=3, weight_filler=dict(type="xavier"), param=rates)
    n.relu = L.ReLU(n.conv, in_place=True)
    n.pool = L.Pooling(n.relu, pool=P.Pooling.AVE, kernel_size=2, stride=2)
    n.loss = L.SoftmaxWithLoss(n.pool, n["label"], loss_weight=2)
    return n


def test_a_net_by_names() -> None:
    assert lenet().to_proto() == message(LENET)
    assert message(str(lenet())) == message(LENET)


def test_it_runs() -> None:
    net = L.Input(shape=dict(dim=[1, 1, 4, 4])).named("data").Pooling(kernel_size=2, stride=2, pool="MAX").named("max")
    made = Net(net.to_proto(), TEST).forward(data=np.arange(16).reshape(1, 1, 4, 4))
    assert made["max"].ravel().tolist() == [5, 7, 13, 15]


def test_layers_without_names_are_numbered() -> None:
    data = L.Input(shape=dict(dim=[1, 4]))
    first = L.InnerProduct(data, num_output=3)
    loss = L.EuclideanLoss(L.InnerProduct(L.ReLU(first), num_output=3), first)
    assert [(layer.name, *layer.bottom) for layer in loss.to_proto().layer] == [
        ("Input1",),
        ("InnerProduct1", "Input1"),
        ("ReLU1", "InnerProduct1"),
        ("InnerProduct2", "ReLU1"),
        ("EuclideanLoss1", "InnerProduct2", "InnerProduct1"),
    ]


def test_a_number_that_is_taken_is_left_out() -> None:
    n = NetSpec()
    n.ReLU1 = L.Input(shape=dict(dim=[1]))
    n.end = L.AbsVal(L.ReLU(n.ReLU1))
    assert [layer.name for layer in n.to_proto().layer] == ["ReLU1", "ReLU2", "end"]


def test_several_tops_one_of_them_without_a_name() -> None:
    n = NetSpec()
    parts = L.Slice(L.Input(shape=dict(dim=[1, 3])), ntop=3)
    n.second = parts[1]
    layer = n.to_proto().layer[1]
    assert list(layer.top) == ["Slice1", "second", "Slice2"]
    assert layer.name == "Slice1"


def test_layers_without_tops() -> None:
    n = NetSpec()
    n.data = L.Input(shape=dict(dim=[1]))
    n.silence = L.Silence(n.data, ntop=0)
    assert [(layer.name, list(layer.top)) for layer in n.to_proto().layer] == [("data", ["data"]), ("silence", [])]
    assert to_proto(L.Silence(n.data, ntop=0)).layer[1].name == "Silence1"


def test_a_chain_is_deeper_than_pythons_stack() -> None:
    top = L.Input(shape=dict(dim=[1]))
    for _ in range(2000):
        top = top.ReLU()
    assert len(top.to_proto().layer) == 2001


def test_keywords_find_their_message() -> None:
    """Its own; the layer's; that of a type that reads another's; of several that the type reads."""
    data = L.Input(shape=dict(dim=[1, 1, 4, 4]))
    deconvolution = L.Deconvolution(data, kernel_size=2, num_output=1, name="up", propagate_down=[False]).to_proto()
    assert deconvolution.layer[1] == text_format.Parse(
        'name: "up" type: "Deconvolution" bottom: "Input1" top: "Deconvolution1" propagate_down: false '
        "convolution_param { num_output: 1 kernel_size: 2 }",
        LayerParameter(),
    )
    loss = L.SoftmaxWithLoss(data, data, ignore_label=255, axis=1).to_proto().layer[1]
    assert (loss.loss_param.ignore_label, loss.softmax_param.axis) == (255, 1)
    python = L.Python(data, module="m", layer="x", param_str="{}").to_proto().layer[1]
    assert (python.python_param.layer, python.python_param.param_str) == ("x", "{}")


def test_values_of_every_kind() -> None:
    layer = LayerParameter()
    assign_proto(layer, "bottom", ("a", "b"))
    assign_proto(layer, "loss_weight", np.array([1, 0.5]))
    assign_proto(layer, "name", "x")
    assign_proto(layer.pooling_param, "pool", "AVE")
    assign_proto(layer.pooling_param, "kernel_size", np.int64(3))
    assign_proto(layer.pooling_param, "stride", 4 / 2)
    assign_proto(layer, "top", [])
    assign_proto(layer, "include", [dict(phase=TEST, stage=["a", "b"]), dict(phase="TRAIN")])
    assert layer == text_format.Parse(
        'name: "x" bottom: "a" bottom: "b" loss_weight: 1 loss_weight: 0.5 '
        'include { phase: TEST stage: "a" stage: "b" } include { phase: TRAIN } '
        "pooling_param { pool: AVE kernel_size: 3 stride: 2 }",
        LayerParameter(),
    )


def test_types_with_a_message_of_their_own() -> None:
    names = param_name_dict()
    assert (names["InnerProduct"], names["LRN"], names["ReLU"]) == ("inner_product", "lrn", "relu")
    assert "SoftmaxWithLoss" not in names


@pytest.mark.parametrize(
    ("keywords", "kind", "said"),
    [
        (dict(num_outputs=3), AttributeError, 'L.Convolution(num_outputs=...): there is no such field; convolution_param has num_output,'),
        (dict(num_outputs=3), AttributeError, '(did you mean "num_output"?)'),
        (dict(conv_param=dict()), AttributeError, '(did you mean "convolution_param"?)'),
        (dict(weight_filler=dict(typ="x")), AttributeError, 'FillerParameter has no "typ"; it has type, value,'),
        (dict(weight_filler="xavier"), TypeError, "weight_filler takes a dict of fields of FillerParameter, not 'xavier' (str)"),
        (dict(num_output="many"), TypeError, "num_output takes a whole number, 0 or more, not 'many' (str)"),
        (dict(num_output=2.5), TypeError, "num_output takes a whole number, 0 or more, not 2.5 (float)"),
        (dict(kernel_size=[3, "x"]), TypeError, "kernel_size takes a whole number, 0 or more, not 'x' (str)"),
        (dict(engine="CUDDN"), ValueError, '(did you mean "CUDNN"?)'),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_line(keywords: dict[str, object], kind: type[Exception], said: str) -> None:
    top = L.Convolution(L.Input(), **keywords)
    with pytest.raises(kind) as caught:
        top.to_proto()
    assert said in str(caught.value)
    assert isinstance(caught.value, BrewError)
    assert caught.value.place is not None
    line = Path(caught.value.place.file).read_text().splitlines()[caught.value.place.line - 1]
    assert line.strip() == "top = L.Convolution(L.Input(), **keywords)"


def test_keywords_of_a_type_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r'no layer type Convolutoin that has it \(did you mean "Convolution"'):
        L.Convolutoin(L.Input(), num_output=3).to_proto()
    own = L.OfTheirOwn(L.Input(), name="own", python_param=dict(layer="x")).to_proto().layer[1]
    assert (own.type, own.name, own.python_param.layer) == ("OfTheirOwn", "own", "x")


def test_only_tops_are_inputs() -> None:
    data = L.DummyData(ntop=2)
    with pytest.raises(TypeError, match=r"^Silence input 0 is not a Top \(type is <class 'tuple'>\)$"):
        L.Silence(data, ntop=0)
    n = NetSpec()
    n.data = data
    with pytest.raises(TypeError, match=r"a layer with 2 tops is assigned to as many names: n\.name0, n\.name1 = "):
        n.to_proto()
    n.data, n.label = data  # pynetbuilder assigns both at first, and then each
    assert [layer.type for layer in n.to_proto().layer] == ["DummyData"]


def test_names_that_are_not_there() -> None:
    n = lenet()
    assert not hasattr(n, "ip")
    with pytest.raises(KeyError, match='no top "convv" yet'):
        n["convv"]
    with pytest.raises(AttributeError, match=r'no message "PoolinParameter".*did you mean "Pooling"'):
        P.Poolin  # noqa: B018
    with pytest.raises(AttributeError, match=r'no constant "MAXX"; it has .*did you mean "MAX"'):
        P.Pooling.MAXX  # noqa: B018
    assert not hasattr(n.conv, "shape")
    assert not hasattr(L, "__wrapped__")


def test_a_copy_is_a_net_of_its_own() -> None:
    n = lenet()
    other = copy.deepcopy(n)
    other.conv.fn.params["num_output"] = 9
    assert n.to_proto() == message(LENET)
    assert other.to_proto().layer[1].convolution_param.num_output == 9


def test_what_ssds_scripts_ask_of_a_net_spec() -> None:
    n = lenet()
    assert n.keys() == ["data", "label", "conv", "relu", "pool", "loss"]
    assert n.vals()[2] is n.conv
    n.update("conv", dict(num_output=7))
    n.silence = L.Silence(n.data, ntop=0)
    n.update("silence", dict(name="quiet"))
    del n["loss"]
    net = n.to_proto()
    assert [layer.name for layer in net.layer] == ["data", "conv", "relu", "pool", "quiet"]
    assert net.layer[1].convolution_param.num_output == 7


def test_names_can_be_completed() -> None:
    assert {"Convolution", "ReLU"} <= set(dir(L))
    assert {"Convolution", "to_proto", "named"} <= set(dir(lenet().conv))
    assert {"Pooling", "Data"} <= set(dir(P))
    assert "LMDB" in dir(P.Data)


def test_a_chain_with_sums_and_products() -> None:
    data = L.Input(shape=dict(dim=[1, 2])).named("data")
    top = (data.ReLU().named("relu") + data) * data
    assert top.named("end").to_proto() == message("""
        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } }
        layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }
        layer { name: "Eltwise1" type: "Eltwise" bottom: "relu" bottom: "data" top: "Eltwise1"
                eltwise_param { operation: SUM } }
        layer { name: "end" type: "Eltwise" bottom: "Eltwise1" bottom: "data" top: "end"
                eltwise_param { operation: PROD } }""")
    assert message(str(top)) == top.to_proto()


def test_a_net_spec_names_first() -> None:
    n = NetSpec()
    n.ours = L.Input(shape=dict(dim=[1])).named("data").ReLU().named("theirs")
    assert [layer.name for layer in n.to_proto().layer] == ["data", "ours"]
