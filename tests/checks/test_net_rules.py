"""Every rule of `brew check` on nets: a net that has the fault, at its line, and one that has it not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from brew.checks import files
from brew.checks.finding import Finding
from brew.checks.states import Options
from brew.data.databases.lmdb_writer import write_lmdb
from brew.proto.brew_pb2 import BlobProto, Datum

Check = Callable[..., list[Finding]]

DATA = """layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 4 dim: 3 dim: 8 dim: 8 } shape { dim: 4 } } }
"""
IMAGES = """layer { name: "data" type: "MemoryData" top: "data" top: "label"
  memory_data_param { batch_size: 4 channels: 3 height: 8 width: 8 } }
"""
CONV = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
"""
IP = """layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
"""
LOSS = """layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
GOOD = DATA + CONV + IP + LOSS


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """The findings of a net, written to net.prototxt."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, **options: object) -> list[Finding]:
        (tmp_path / "net.prototxt").write_text(text)
        return files.check("net.prototxt", Options(**options))  # type: ignore[arg-type]

    return run


def short(findings: list[Finding]) -> list[tuple[str, int]]:
    return [(finding.code, finding.place.line) for finding in findings]


def between(layers: str) -> str:
    """GOOD with layers between convolution (lines 3 and 4) and inner product."""
    return DATA + CONV + layers + IP + LOSS


def after(layers: str) -> str:
    """GOOD with layers between inner product (lines 5 and 6) and loss."""
    return DATA + CONV + IP + layers + LOSS


SCALE = 'layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }\n'
BN = 'layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv"\n%s}\n'
ZERO = ' weight_filler { type: "xavier" }'
TWO_DATA = """layer { name: "data" type: "MemoryData" top: "data" top: "label" include { phase: TRAIN }
  transform_param { scale: 0.5 mirror: true }
  memory_data_param { batch_size: 4 channels: 3 height: 8 width: 8 } }
layer { name: "data" type: "MemoryData" top: "data" top: "label" include { phase: TEST }
  transform_param { scale: 0.5 %s }
  memory_data_param { batch_size: 4 channels: 3 height: 8 width: 8 } }
"""

CASES = {
    "B201": (between(BN % ""), 5, between(BN % "" + SCALE)),
    "B202": (
        between(BN % "batch_norm_param { use_global_stats: true }" + SCALE), 6,
        between(BN % "include { phase: TEST } batch_norm_param { use_global_stats: true }" + SCALE),
    ),
    "B203": (
        IMAGES + CONV + IP.replace('"conv"', '"label"').replace("num_output", "axis: 0 num_output") + LOSS, 5,
        IMAGES + CONV + IP + LOSS,
    ),
    "B204": (GOOD.replace(ZERO, "").replace("type: \"SoftmaxWithLoss\"", "type: \"SoftmaxWithLoss\" exclude { stage: \"x\" }"), 3,
             (DATA + CONV.replace(ZERO, "") + IP + LOSS).replace('type: "SoftmaxWithLoss"', 'type: "SoftmaxWithLoss" exclude { stage: "x" }')),
    "B205": (
        after('layer { name: "p" type: "Softmax" bottom: "ip" top: "p" }\n').replace('bottom: "ip" bottom', 'bottom: "p" bottom'), 8,
        after('layer { name: "p" type: "TanH" bottom: "ip" top: "p" }\n').replace('bottom: "ip" bottom', 'bottom: "p" bottom'),
    ),
    "B206": (
        after('layer { name: "r" type: "ReLU" bottom: "ip" top: "ip" }\n'), 8,
        between('layer { name: "r" type: "ReLU" bottom: "conv" top: "conv" }\n'),
    ),
    "B207": (
        between('layer { name: "r" type: "ReLU" bottom: "conv" top: "relu" }\n'), 5,
        between('layer { name: "r" type: "ReLU" bottom: "conv" top: "relu" }\n'
                'layer { name: "s" type: "Silence" bottom: "relu" }\n'),
    ),
    "B208": (GOOD.replace('name: "ip"', 'name: "conv"'), 5, after('layer { name: "loss" type: "Accuracy" bottom: "ip" bottom: "label" top: "a" }\n')),
    "B209": (
        GOOD.replace("bottom: \"data\"", "param { lr_mult: 0 } param { lr_mult: 0 } bottom: \"data\"")
        .replace('bottom: "conv"', 'param { lr_mult: 0 } param { lr_mult: 0 } bottom: "conv"'), 5,
        GOOD.replace("bottom: \"data\"", "param { lr_mult: 0 } param { lr_mult: 0 } bottom: \"data\""),
    ),
    "B210": (GOOD.replace('top: "loss"', 'top: "loss" loss_weight: 0'), 7, GOOD.replace('top: "loss"', 'top: "loss" loss_weight: 2')),
    "B211": (
        after('layer { name: "a" type: "Accuracy" bottom: "ip" bottom: "label" top: "a"\n phase: TEST }\n'), 8,
        after('layer { name: "a" type: "Accuracy" bottom: "ip" bottom: "label" top: "a"\n include { phase: TEST } }\n'),
    ),
    "B221": (TWO_DATA % "mirror: true" + CONV + IP + LOSS, 5, TWO_DATA % "" + CONV + IP + LOSS),
    "B233": (TWO_DATA % "distort_param { }" + CONV + IP + LOSS, 5, TWO_DATA % "resize_param { height: 8 width: 8 }" + CONV + IP + LOSS),
    "B224": (DATA.replace('"DummyData"', '"DummyData" include { phase: TRAIN }') + CONV + IP + LOSS, 3, GOOD),
    "B225": (
        between(BN % "param { lr_mult: 0 }\nparam { lr_mult: 1 } param { lr_mult: 0 }" + SCALE), 7,
        between(BN % "param { lr_mult: 0 } param { lr_mult: 0 } param { lr_mult: 0 }" + SCALE),
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", CASES)
def test_each_rule_finds_its_fault_and_nothing_in_a_sound_net(code: str, check: Check) -> None:
    bad, line, good = CASES[code]
    found = [finding for finding in check(bad) if finding.code == code]
    assert short(found) == [(code, line)]
    assert found[0].hint
    assert found[0].severity == "warning"
    assert code not in [finding.code for finding in check(good)]


@pytest.mark.parametrize("net", [GOOD, IMAGES + CONV + IP + LOSS, CASES["B201"][2], CASES["B206"][2]])
def test_a_sound_net_has_no_findings(net: str, check: Check) -> None:
    assert check(net) == []


@pytest.mark.parametrize(("scale", "found"), [("0.25", [("B222", 4)]), ("0.5", [])])
def test_test_data_is_prepared_as_training_data(
    scale: str, found: list[tuple[str, int]], check: Check, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("a.jpg 0\n")
    (tmp_path / "b.txt").write_text("b.jpg 0\n")
    layer = """layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: %s }
  image_data_param { source: "%s.txt" batch_size: 2 } transform_param { crop_size: 8
  scale: %s } }
"""
    net = layer % ("TRAIN", "a", "0.5") + layer % ("TEST", "b", scale) + CONV + IP + LOSS
    said = check(net, data=False)
    assert [(f.code, f.place.line) for f in said] == [(code, 6) for code, _ in found]


def test_tests_on_the_training_data(check: Check) -> None:
    layer = """layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: %s }
  transform_param { crop_size: 8 } image_data_param { batch_size: %d source: "%s" } }
"""
    same = layer % ("TRAIN", 2, "a") + layer % ("TEST", 3, "a") + CONV + IP + LOSS
    assert short(check(same, data=False)) == [("B223", 4)]
    other = layer % ("TRAIN", 2, "a") + layer % ("TEST", 3, "b") + CONV + IP + LOSS
    assert check(other, data=False) == []


def test_all_errors_of_a_net_with_their_lines_and_without_echoes(check: Check) -> None:
    net = """layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "big" type: "Convolution" bottom: "data" top: "big" convolution_param { num_output: 2
  kernel_size: 9 } }
layer { name: "relu" type: "ReLU" bottom: "big" top: "relu" }
layer { name: "below" type: "InnerProduct" bottom: "relu" top: "below" inner_product_param { num_output: 2 } }
layer { name: "typo" type: "Relu" bottom: "data" top: "typo" }
layer { name: "sum" type: "Eltwise" bottom: "daat" bottom: "typo" top: "sum" }
layer { name: "two" type: "ReLU" bottom: "data" bottom: "typo" top: "two" }
layer { name: "good" type: "InnerProduct" bottom: "data" top: "good" inner_product_param { num_output: 2
  weight_filler { type: "xaver" } } }
layer { name: "again" type: "Pooling" bottom: "good" top: "again" }
"""
    found = check(net)
    assert [(f.severity, f.place.line) for f in found] == [("error", n) for n in (4, 7, 8, 9, 10, 12)]
    assert found[1].hint is not None and 'did you mean "ReLU"?' in found[1].hint
    assert found[2].hint == 'did you mean "data"?'
    assert all("in TRAIN" not in str(f) for f in found), "the net has no loss: it is looked at in TEST alone"


def test_the_same_error_in_both_phases_is_said_once(check: Check) -> None:
    net = GOOD.replace("kernel_size: 3", "kernel_size: 9").replace(
        '"SoftmaxWithLoss"', '"SoftmaxWithLoss" exclude { stage: "x" }'
    )
    [found] = check(net)
    assert found.states == ("TRAIN", "TEST")
    assert str(found).endswith("(in TRAIN and TEST)")


def test_what_differs_in_the_batch_alone_is_said_once(check: Check) -> None:
    data = IMAGES.replace('"MemoryData"', '"MemoryData" include { phase: TRAIN }') + IMAGES.replace(
        '"MemoryData"', '"MemoryData" include { phase: TEST }'
    ).replace("batch_size: 4", "batch_size: 5")
    net = data + CONV + 'layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "data" top: "sum" }\n' + IP + LOSS
    found = [f for f in check(net) if f.severity == "error"]
    assert short(found) == [("B120", 7)]
    assert found[0].states == ("TRAIN", "TEST")


def test_missing_data_is_an_error_and_shapes_are_guessed(check: Check) -> None:
    net = """layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { crop_size: 8 mean_file: "no.binaryproto" }
  data_param { source: "no_lmdb" batch_size: 4 } }
""" + CONV.replace("kernel_size: 3", "kernel_size: 9") + IP + LOSS  # fmt: skip
    found = check(net)
    assert short(found) == [("B150", 2), ("B150", 3), ("B120", 5)]
    assert found[0].hint == "get the data; shapes are checked as if it were 4 x 3 x 8 x 8"
    assert short(check(net, data=False)) == [("B120", 5)]


def test_a_mean_file_that_is_there_says_what_the_data_would_be(check: Check) -> None:
    mean = BlobProto(num=1, channels=2, height=4, width=6, data=[0.0] * 48)
    Path("mean.binaryproto").write_bytes(mean.SerializeToString())
    net = """layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { mean_file: "mean.binaryproto" } data_param { source: "no_lmdb" batch_size: 4 } }
""" + CONV.replace("kernel_size: 3", "kernel_size: 9") + IP + LOSS  # fmt: skip
    found = check(net)
    assert short(found) == [("B150", 2), ("B120", 4)]
    assert found[0].hint == "get the data; shapes are checked as if it were 4 x 2 x 4 x 6"
    assert check(net, data=False) == []  # no file is opened


def test_without_any_shape_shapes_are_not_judged_but_given_ones_are(check: Check) -> None:
    net = 'layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "no" batch_size: 4 } }\n'
    net += CONV.replace("kernel_size: 3", "kernel_size: 9") + IP + LOSS
    assert check(net, data=False) == []
    assert short(check(net, shapes={"data": (4, 3, 8, 8), "label": (4,)})) == [("B120", 3)]


def test_stages_are_looked_at_one_by_one(check: Check) -> None:
    data = "".join(
        IMAGES.replace('"MemoryData"', f'"MemoryData" include {{ phase: TEST stage: "{stage}" }}') for stage in "ab"
    )
    train = IMAGES.replace('"MemoryData"', '"MemoryData" include { phase: TRAIN }')
    net = train + data + CONV.replace("kernel_size: 3", "kernel_size: 9") + IP + LOSS
    [found] = check(net)
    assert found.states == ("TRAIN", "TEST a", "TEST b")
    [found] = check(net, stages=["b"])
    assert found.states == ("TRAIN", "TEST")


def test_what_layers_log_becomes_a_finding(check: Check) -> None:
    net = """layer { name: "data" type: "Data" top: "data" data_param { source: "no" batch_size: 4
  rand_skip: 3 } }
"""
    found = [f for f in check(net) if f.severity == "warning"]
    assert short(found) == [("B200", 2)]


def test_include_and_exclude_of_several_layers(check: Check) -> None:
    both = "include { phase: TRAIN } exclude { phase: TEST }"
    net = GOOD.replace('name: "ip"', f'name: "ip" {both}').replace('name: "conv"', f'name: "conv" {both}')
    assert [f.place.line for f in check(net) if f.severity == "error"] == [3, 5]


def test_a_net_without_data_is_one_error_and_its_types_are_still_looked_at(check: Check) -> None:
    net = (
        'layer { name: "a" type: "ReLU" bottom: "x" top: "a" }\nlayer { name: "b" type: "Relu" bottom: "x" top: "b" }\n'
    )
    assert short(check(net)) == [("B120", 1), ("B120", 2)]


def test_a_file_without_layers_is_no_net(check: Check) -> None:
    assert short(check("")) == [("B120", 0)]


@pytest.mark.parametrize(
    ("labels", "score", "said"),
    [
        ([0, 1, 1], "", []),
        ([0, 2, 1], "", [("B227", 7)]),
        ([-1, 1, 0], "", [("B227", 7)]),
        ([-1, 1, 0], "loss_param { ignore_label: -1 }", []),
    ],
)
def test_labels_against_the_number_of_classes(
    labels: list[int], score: str, said: list[tuple[str, int]], check: Check, tmp_path: Path
) -> None:
    images = (Datum(channels=3, height=8, width=8, data=bytes(192), label=label) for label in labels)
    write_lmdb(tmp_path / "db", ((b"%04d" % i, image.SerializeToString()) for i, image in enumerate(images)))
    data = 'layer { name: "data" type: "Data" top: "data" top: "label"\n data_param { source: "db" batch_size: 2 } }\n'
    found = check(data + CONV + IP + LOSS.replace("top", f"{score} top"))
    assert short(found) == said
    assert all("record '000" in f.message and "of 2 classes" in f.message for f in found)


def test_labels_are_read_as_far_as_there_are_any(check: Check, tmp_path: Path) -> None:
    image = Datum(channels=3, height=8, width=8, data=bytes(192), label=1).SerializeToString()
    write_lmdb(tmp_path / "db", [(b"0", image), (b"1", b"\xff\xff")])
    data = 'layer { name: "data" type: "Data" top: "data" top: "label"\n data_param { source: "db" batch_size: 2 } }\n'
    assert check(data + CONV + IP + LOSS) == []


@pytest.mark.parametrize(
    ("layer", "hint"),
    [
        ('"Convolution" bottom: "conv" top: "x" convolution_param { num_output: 2 kernel_size: 9 }', "smaller kernel"),
        ('"Pooling" bottom: "conv" top: "x" pooling_param { kernel_size: 9 }', "smaller kernel"),
        ('"Convolution" bottom: "conv" top: "x" convolution_param { num_output: 2 }', "kernel_size: 3"),
        ('"Convolution" bottom: "conv" top: "x" convolution_param { kernel_size: 3 }', "number of filters"),
        ('"Convolution" bottom: "data" top: "x" convolution_param { num_output: 2 kernel_size: 3 group: 2 }', "divide both"),
        ('"InnerProduct" bottom: "conv" top: "x" inner_product_param { }', "number of classes"),
        ('"Eltwise" bottom: "conv" bottom: "data" top: "x"', "num_output the same"),
        ('"Concat" bottom: "conv" bottom: "data" top: "x"', "planes of one size"),
        ('"SoftmaxWithLoss" bottom: "conv" bottom: "label" top: "x"', "global Pooling"),
        ('"SoftmaxWithLoss" bottom: "conv" top: "x"', "brew layers SoftmaxWithLoss"),
        ('"Split" bottom: "conv" top: "conv"', "a name of its own"),
        ('"ReLU" bottom: "conv" top: "x" param { }', "one param"),
        ('"Relus" bottom: "conv" top: "x"', 'did you mean "ReLU"'),
    ],
)  # fmt: skip
def test_errors_people_meet_say_what_to_do(layer: str, hint: str, check: Check) -> None:
    found = check(between(f'layer {{ name: "x" type: {layer} }}\n'))
    [error] = [finding for finding in found if finding.severity == "error"]
    assert error.place.line == 5
    assert hint in (error.hint or "")
