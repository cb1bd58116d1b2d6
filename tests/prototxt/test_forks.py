"""Prototxt of Caffe's forks: what is read, what is warned of once, what is refused, where and by which name."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import brew
from brew.errors import NetError, Place, PrototxtError, SolverError
from brew.graph import foreign
from brew.graph.definition import SelectedNet, select
from brew.graph.rewriting.upgrade_files import upgrade_net_file, upgrade_solver_file
from brew.layer import registry
from brew.proto import brew_pb2
from brew.proto.brew_pb2 import NetParameter, SolverParameter
from brew.prototxt import Document, forks, override, parse

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [2, 3, 8, 8] } } }\n'

SSD = """\
name: "ssd"
layer { name: "data" type: "AnnotatedData" top: "data" top: "label" include { phase: TRAIN }
  transform_param {
    mirror: true
    resize_param { prob: 1 resize_mode: WARP interp_mode: LINEAR interp_mode: AREA }  # { not a brace
    emit_constraint < emit_type: CENTER >
    distort_param { brightness_prob: 0.5, brightness_delta: 32; }
  }
  data_param { source: "lmdb" batch_size: 2 backend: LMDB }
  annotated_data_param {
    batch_sampler [ { max_sample: 1 }, { sampler { min_scale: 0.3 } sample_constraint: { min_jaccard_overlap: 0.1 } } ]
    label_map_file: "label}map" "{.prototxt"
  }
}
layer { name: "priors" type: "PriorBox" bottom: "data" bottom: "data" top: "priors"
  prior_box_param { min_size: 30.0 aspect_ratio: [2, 3] flip: true variance: 0.1 offset: .5 } }
"""

INTEL = (
    'name: "intel" engine: "MKLDNN"\nbn_stats_batch_size: 32\n'
    + INPUT
    + """\
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 engine: MKL2017 relu: false fusion_type: NONE_FUSION }
  quantization_param { bw_layer_in: 8 scale_in: 1.5 is_negative_input: true } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "bn1" batch_norm_param { filler { value: 1 } } }
layer { name: "scale1" type: "Scale" bottom: "bn1" top: "bn1" scale_param { bias_term: true } }
layer { name: "relu1" type: "ReLU" bottom: "bn1" top: "bn1" relu_param { engine: MKL2017 } }
layer { name: "pool1" type: "Pooling" bottom: "bn1" top: "pool1" pooling_param { kernel_size: 2 engine: MKLDNN } }
layer { name: "fc1" type: "InnerProduct" bottom: "pool1" top: "fc1" inner_product_param { num_output: 2 relu: true } exclude { phase: TEST } }
"""
)

NVIDIA = (
    """\
default_forward_type: FLOAT16
default_backward_type: FLOAT
reduce_buckets: 3
global_grad_scale: 1000.
"""
    + INPUT
    + """\
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" forward_type: FLOAT16 forward_math: FLOAT16
  convolution_param { num_output: 4 kernel_size: 3 cudnn_convolution_algo_seeker: FINDEX conv_algos_override: "-1,-1,-1" } }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2" forward_type: FLOAT16
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "drop" type: "Dropout" bottom: "conv2" top: "conv2" dropout_param { random_seed: 7 } }
"""
)

RCNN = """\
input: "data" input_shape { dim: 1 dim: 512 dim: 14 dim: 14 }
input: "rois" input_shape { dim: 3 dim: 5 }
layer {
  name: "roi_pool5"
  type: "ROIPooling"
  bottom: "data" bottom: "rois" top: "pool5"
  roi_pooling_param { pooled_w: 7 pooled_h: 7 spatial_scale: 0.0625 # 1/16
  }
}
"""


def net(text: str) -> Document[NetParameter]:
    return parse(text, NetParameter, "net.prototxt")


def use(document: Document[NetParameter], phase: int = brew.TRAIN) -> SelectedNet:
    return select(document, phase)


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= level]


def test_ssd_is_read_and_its_types_are_named() -> None:
    document = net(SSD)
    assert [(f.path, f.name, f.value, f.place.line) for f in document.foreign] == [
        (("layer", 0), "annotated_data_param", "{ ... }", 10),
        (("layer", 1), "prior_box_param", "{ ... }", 16),
    ]
    assert document.message.layer[0].data_param.batch_size == 2
    transform = document.message.layer[0].transform_param
    assert transform.mirror and transform.HasField("resize_param") and transform.HasField("distort_param")
    with pytest.raises(NetError) as caught:
        brew.Net(document, brew.TRAIN, device="cpu")
    assert caught.value.place == Place("net.prototxt", 2, 22)
    assert 'unknown type "AnnotatedData"' in caught.value.message
    assert str(caught.value.hint).startswith("AnnotatedData comes from SSD, Intel Caffe and NVIDIA Caffe")


def test_a_forks_type_is_no_misspelling() -> None:
    hint = foreign.unknown_layer_hint("DepthwiseConvolution")
    assert hint.startswith("DepthwiseConvolution comes from MobileNet and ShuffleNet repositories")
    assert 'type: "Convolution" with group does the same' in hint
    with pytest.raises(
        NetError, match="ROIPooling comes from Intel Caffe, Fast and Faster R-CNN and Microsoft's R-FCN"
    ):
        brew.Net(net(RCNN), brew.TEST, device="cpu")


def test_intel_is_refused_only_where_the_numbers_would_change(caplog: pytest.LogCaptureFixture) -> None:
    text = INTEL.replace("bn_stats_batch_size: 32", "bn_stats_batch_size: 0")
    with pytest.raises(NetError) as caught:
        use(net(text))
    assert caught.value.place == Place("net.prototxt", 11, 105)
    assert caught.value.message == (
        'layer "fc1": InnerProductParameter.relu: true comes from Intel Caffe and is not available here; '
        "it would change the results"
    )
    assert caught.value.hint == 'write a layer { type: "ReLU" } after it'
    assert lines(caplog) == []  # an error comes before warnings
    brew.Net(net(text), brew.TEST, device="cpu")
    said = [line for line in lines(caplog) if "NumPy computes" not in line]  # that is said where there is no oneDNN
    assert [line.split(": ")[2] for line in said] == [
        "ConvolutionParameter.engine",
        "LayerParameter.quantization_param",
        "BatchNormParameter.filler",
        "PoolingParameter.engine",
    ]
    assert "MKL2017 comes from Intel Caffe and Caffe's" not in said[0]
    assert said[0].endswith("(2 times)")


def test_batches_of_batch_norm_count_in_training_only(caplog: pytest.LogCaptureFixture) -> None:
    document = net("bn_stats_batch_size: 32\n" + INPUT)
    with pytest.raises(NetError, match="bn_stats_batch_size: 32 comes from Intel Caffe and is not available here"):
        use(document)
    use(document, brew.TEST)
    assert "it changes the results of training" in lines(caplog)[0]


def test_the_scale_inside_batch_norm_needs_a_scale_after_it() -> None:
    text = INTEL.replace('type: "Scale"', 'type: "Bias"').replace("scale_param { bias_term: true }", "")
    with pytest.raises(NetError, match=r'layer "bn1": BatchNormParameter.filler: .* would change the results'):
        use(net(text), brew.TEST)


def test_nvidia_is_warned_of_once_for_each_kind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    document = net(NVIDIA)
    brew.Net(document, brew.TRAIN, device="cpu")
    said = lines(caplog)
    assert len(said) == 8
    assert said[0] == (
        "net.prototxt:1:1: NetParameter.default_forward_type: FLOAT16 comes from NVIDIA Caffe; it does nothing here: "
        "Brew computes in 32 bits"
    )
    assert said[3].startswith('net.prototxt:6:71: layer "conv1": LayerParameter.forward_type: FLOAT16')
    assert said[3].endswith("(2 times)")
    anyway = [line for line in lines(caplog, logging.INFO) if "anyway" in line]
    assert [line.split(": ")[1] for line in anyway] == ["NetParameter.default_backward_type"]
    caplog.clear()
    use(document, brew.TEST)
    assert lines(caplog) == []


def test_fields_of_layers_that_are_not_there_do_not_count() -> None:
    text = INPUT + (
        'layer { name: "d" type: "Dropout" bottom: "data" top: "d" dropout_param { scale_train: false }\n'
        "  include { phase: TEST } }"
    )
    use(net(text))
    with pytest.raises(NetError, match=r'"d": DropoutParameter.scale_train: false comes from Fast and Faster R-CNN'):
        use(net(text), brew.TEST)
    assert [(v.level, v.place.line) for v in foreign.judge(net(text))] == [("error", 2)]


def test_fields_of_a_data_layer_go_with_it() -> None:
    text = 'layer { name: "d" type: "Data" top: "data" data_param { source: "no" batch_size: 2 range_start: 5 } }'
    with pytest.raises(NetError, match=r"DataParameter\.range_start: 5"):
        use(net(text))
    select(net(text), brew.TRAIN, shapes={"data": (2, 3, 8, 8)})


def test_a_default_written_out_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    text = INPUT + 'layer { name: "e" type: "ELU" bottom: "data" top: "e" elu_param { lambda: 1.0f } }'
    use(net(text))
    assert lines(caplog, logging.INFO) == [
        'net.prototxt:2:67: layer "e": ELUParameter.lambda: 1.0f comes from NVIDIA Caffe: it asks for what is done anyway'
    ]
    with pytest.raises(NetError, match=r"ELUParameter\.lambda: 1\.5"):
        use(net(text.replace("1.0f", "1.5")))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("loss_param { normalization: PRE_FIXED }", "LossParameter.normalization: PRE_FIXED comes from Intel Caffe"),
        (
            "loss_param { label_smoothing: .1 }",
            "LossParameter.label_smoothing: .1 comes from Intel Caffe and NVIDIA Caffe",
        ),
        ("softmax_param { class_weight: [1, 2] }", "SoftmaxParameter.class_weight: [ ... ] comes from happynear's"),
    ],
)
def test_values_and_losses(field: str, message: str) -> None:
    text = INPUT + 'layer { name: "l" type: "SoftmaxWithLoss" bottom: "data" bottom: "data" top: "l" ' + field + " }"
    [verdict] = foreign.judge(net(text))
    assert verdict.level == "error"
    assert verdict.message.startswith(f'layer "l": {message}')


def test_parameters_of_another_layer_type_do_nothing(caplog: pytest.LogCaptureFixture) -> None:
    text = INPUT + 'layer { name: "r" type: "ReLU" bottom: "data" top: "r" prior_box_param { min_size: 3 } }'
    brew.Net(net(text), brew.TEST, device="cpu")
    assert lines(caplog)[0].endswith("it does nothing here: it belongs to PriorBox layers")


def test_a_solver_of_a_fork(caplog: pytest.LogCaptureFixture) -> None:
    text = 'base_lr: 0.1\neval_type: "classification"\nshow_per_class_result: true\nmax_momentum: 0.95\n'
    document = parse(text, SolverParameter, "solver.prototxt")
    foreign.admit_solver(document)
    assert [line.split(" comes")[0] for line in lines(caplog)] == [
        "solver.prototxt:3:1: SolverParameter.show_per_class_result: true",
        "solver.prototxt:4:1: SolverParameter.max_momentum: 0.95",
    ]
    assert lines(caplog)[1].endswith("it only counts together with momentum_policy")
    document = parse(text + 'momentum_policy: "poly"', SolverParameter, "solver.prototxt")
    with pytest.raises(SolverError, match='momentum_policy: "poly" comes from NVIDIA Caffe') as caught:
        foreign.admit_solver(document)
    assert caught.value.place == Place("solver.prototxt", 5, 1)


def test_a_net_inside_a_solver_is_judged_as_a_net() -> None:
    text = "net_param { bn_stats_batch_size: 8 " + INPUT + "}\ntest_net_param { " + INPUT + " global_grad_scale: 2 }"
    document = parse(text, SolverParameter)
    assert [f.path for f in document.foreign] == [("net_param",), ("test_net_param", 0)]
    foreign.admit_solver(document)
    with pytest.raises(NetError, match="bn_stats_batch_size"):
        foreign.admit_net(document, ("net_param",), [], brew.TRAIN)
    foreign.admit_net(document, ("test_net_param", 0), [], brew.TRAIN)


def test_old_formats_too() -> None:
    text = """\
layers { name: "data" type: DUMMY_DATA top: "data" dummy_data_param { shape { dim: 2 dim: 3 } } }
layers { name: "n" type: BN bottom: "data" top: "n" bn_param { scale_filler { value: 1 } } include { phase: TEST } }
"""
    use(net(text))
    with pytest.raises(NetError, match=r'layer "n": V1LayerParameter\.type: BN comes from happynear') as caught:
        use(net(text), brew.TEST)
    assert caught.value.place == Place("net.prototxt", 2, 20)


def test_an_upgrade_says_what_it_leaves_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    old, new = tmp_path / "old.prototxt", tmp_path / "new.prototxt"
    old.write_text(NVIDIA, "utf-8")
    assert not upgrade_net_file(str(old), str(new))
    assert f"{old}:6:71: LayerParameter.forward_type: FLOAT16 comes from NVIDIA Caffe: left out (2 times)" in lines(
        caplog
    )
    assert upgrade_net_file(str(new), str(old), overwrite=True)
    old.write_text('base_lr: 1 eval_type: "detection"', "utf-8")
    assert not upgrade_solver_file(str(old), str(tmp_path / "solver.prototxt"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("multibox_loss_param { num_classes: 21", r'1:29: this "{" of multibox_loss_param is never closed; .* line 1'),
        ("multibox_loss_param { nms_param < k: 1 }", r'expected a field of nms_param, not "}"'),
        ("multibox_loss_param { num_classes 21 }", r'expected ":" or "{" after "num_classes", not 21'),
        ("multibox_loss_param { nms: }", r'expected a value of nms, not "}"'),
        ("multibox_loss_param { a: [1 2] }", r'expected "," or "\]" in the list of a, not 2'),
        ("multibox_loss_param { a: [1, ] }", r'expected a value of a, not "\]"'),
        ("multibox_loss_param { a: [[1]] }", "a list stands in the list of a"),
        ('multibox_loss_param { a: "x }', "this string has no closing quote"),
        ("multibox_loss_param: }", r'expected a value of multibox_loss_param, not "}"'),
        ("multibox_loss { }", r'LayerParameter has no field "multibox_loss"'),
    ],
)
def test_broken_values_of_forks_are_placed(value: str, message: str) -> None:
    with pytest.raises(PrototxtError, match=message):
        net("layer { " + value + ("" if "21" in value and "}" not in value else " }"))


def test_depth_takes_no_stack() -> None:
    deep = 100_000
    document = net("layer { multibox_loss_param " + "{ a " * deep + "{ }" + " }" * deep + ' name: "x" }')
    assert document.message.layer[0].name == "x"


def test_a_setting_takes_no_words_of_forks() -> None:
    with pytest.raises(PrototxtError, match=r"SolverParameter\.solver_type: SAG is not available here .*NVIDIA Caffe"):
        override(SolverParameter(), "solver_type=SAG")
    with pytest.raises(PrototxtError, match='SolverParameter has no field "eval_type"'):
        override(SolverParameter(), "eval_type=detection")


def test_the_list_holds_only_what_the_schema_lacks() -> None:
    schema = brew_pb2.DESCRIPTOR.message_types_by_name
    facts = forks.all_facts()
    assert len(facts) > 400
    for message, name in facts:
        fact = facts[message, name]
        assert set(fact.forks) <= set(forks.NAMES), fact
        assert fact.effect in forks.EFFECTS, fact
        if message == "type":
            assert name not in registry.layer_type_list(), "it is available now"
            continue
        fields = schema[message].fields_by_name
        field, _, value = name.partition("=")
        if value:
            assert value not in fields[field].enum_type.values_by_name, fact
        else:
            assert field not in fields, fact
