"""Old formats: each rule by a net worked by hand, and nets of 2013 and 2014 that run."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.errors import NetError, SolverError
from brew.layer.registry import layer_class
from brew.net.net import Net
from brew.proto.brew_pb2 import LayerParameter, NetParameter, PoolingParameter, SolverParameter, V1LayerParameter
from brew.prototxt.upgrade import upgrade_net, upgrade_solver
from brew.solver.training.config import SolverConfig

TEXTS = Path(__file__).parent / "upgrade"  # one net in each format, and LeNet in that of 2014
V0 = (TEXTS / "v0.prototxt").read_text()
V1 = (TEXTS / "v1.prototxt").read_text()
TODAY = (TEXTS / "today.prototxt").read_text()
SOLVER = "solver_type: ADAGRAD base_lr: 0.1 lr_policy: 'fixed' max_iter: 1\n"
LENET = (TEXTS / "lenet_v1.prototxt").read_text()


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


@pytest.mark.parametrize(("text", "year"), [(V0, "2013 (V0)"), (V1, "2014 (V1)")])
def test_a_net_of_each_age_is_the_same_net(text: str, year: str, said: pytest.LogCaptureFixture):
    assert upgraded(text) == message(TODAY)
    line = f'net.prototxt: upgraded from the format of {year}, input became the layer "input"'
    assert said.messages == [line]


def test_a_net_of_today_is_left_alone_in_silence(said: pytest.LogCaptureFixture):
    assert upgraded(TODAY) == message(TODAY)
    assert said.messages == []


@pytest.mark.parametrize("text", [V0, V1])
def test_old_nets_run_as_todays_does(text: str):
    x = np.random.default_rng(0).normal(size=(2, 1, 6, 6))
    old, new = (Net(document(t), brew.TEST, seed=5) for t in (text, TODAY))
    assert list(old.blobs) == list(new.blobs) and list(old.params) == list(new.params)
    np.testing.assert_array_equal(old.forward(data=x)["prob"], new.forward(data=x)["prob"])
    assert [p.lr_mult for p in old.graph.params] == [1, 2, 1]


def test_a_lenet_of_2014_has_its_two_phases_and_trains_a_step():
    train, test = Net(document(LENET), brew.TRAIN, seed=1), Net(document(LENET), brew.TEST, seed=1)
    assert train.blobs["data"].shape == (4, 1, 28, 28) and train.outputs == ["loss"]
    assert test.blobs["data"].shape == (2, 1, 28, 28) and test.outputs == ["accuracy", "loss"]
    train.forward()
    train.backward()
    assert train.blobs["loss"].data == pytest.approx(np.log(10), abs=0.01)
    assert train.params["ip2"][1].diff.any()


def test_a_message_is_upgraded_on_a_copy():
    given = message(V0)
    before = given.SerializeToString()
    assert Net(given, brew.TEST, seed=1).blobs["prob"].shape == (2, 4)
    batch_norm = message('layer { name: "bn" type: "BatchNorm" param { } param { } param { } }')
    upgrade_net(batch_norm)
    assert given.SerializeToString() == before
    assert not batch_norm.layer[0].param[0].HasField("lr_mult")


# --- V1 ---------------------------------------------------------------------------------------------------------------


def test_params_of_2014():
    text = """layers { name: "a" type: CONVOLUTION param: "w" blob_share_mode: PERMISSIVE blob_share_mode: STRICT
      blobs_lr: 3 weight_decay: 0 weight_decay: 2 weight_decay: 4 loss_weight: 0.5 blobs { data: 1 }
      include { phase: TEST } exclude { stage: "s" } convolution_param { } }"""
    assert upgraded(text) == message("""layer { name: "a" type: "Convolution"
      param { name: "w" share_mode: PERMISSIVE lr_mult: 3 decay_mult: 0 } param { share_mode: STRICT decay_mult: 2 }
      param { decay_mult: 4 } loss_weight: 0.5 blobs { data: 1 }
      include { phase: TEST } exclude { stage: "s" } convolution_param { } }""")


def test_every_field_of_2014_has_its_place_today():
    own = {"layer", "blobs_lr", "weight_decay", "blob_share_mode"}
    todays = {f.name: f.message_type for f in LayerParameter.DESCRIPTOR.fields}
    for field in V1LayerParameter.DESCRIPTOR.fields:
        if field.name not in {*own, "param", "type"}:
            assert todays[field.name] is field.message_type


@pytest.mark.parametrize("name", V1LayerParameter.LayerType.keys())
def test_every_type_of_2014_is_a_layer(name: str):
    [layer] = upgraded(f"layers {{ type: {name} }}").layer
    assert (layer_class(layer.type) is not None) == (name != "NONE")


@pytest.mark.parametrize(
    ("old", "today"), [("DATA", "data"), ("IMAGE_DATA", "image_data"), ("WINDOW_DATA", "window_data")]
)
def test_image_fields_move_to_transform_param(old: str, today: str, said: pytest.LogCaptureFixture):
    moving = 'scale: 0.5 mean_file: "m" crop_size: 7 mirror: true'
    [layer] = upgraded(f'layers {{ type: {old} {today}_param {{ source: "s" {moving} }} }}').layer
    wanted = message(f'layer {{ {today}_param {{ source: "s" }} transform_param {{ {moving} }} }}').layer[0]
    wanted.type = layer.type
    assert layer == wanted
    assert said.messages[-1].endswith("(V1), image fields moved to transform_param")
    kept = f'layer {{ type: "{layer.type}" {today}_param {{ source: "s" {moving} }} }}'
    assert upgraded(kept) == message(kept)  # the rule is for `layers` alone


# --- inputs and BatchNorm ---------------------------------------------------------------------------------------------


def test_inputs_become_one_layer():
    wanted = message("""layer { name: "input" type: "Input" top: "a" top: "b"
      input_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } shape { dim: 5 } } } layer { name: "s" type: "Silence" }""")
    tail = 'layer { name: "s" type: "Silence" }'
    shapes = "input_shape { dim: 1 dim: 2 dim: 3 dim: 4 } input_shape { dim: 5 }"
    assert upgraded(f'input: "a" input: "b" {shapes} {tail}') == wanted
    assert upgraded(f'input: "a" input: "b" {shapes} input_dim: 9 {tail}') == wanted  # input_shape wins
    wanted.layer[0].input_param.shape[1].dim[:] = [5, 6, 7, 8]
    dims = " ".join(f"input_dim: {d}" for d in range(1, 9))
    assert upgraded(f'input: "a" input: "b" {dims} {tail}') == wanted


def test_shapes_without_input_are_not_used(said: pytest.LogCaptureFixture):
    [layer] = upgraded('input: "a" input_shape { dim: 2 } input_shape { dim: 3 }').layer
    assert layer == message('layer { name: "input" type: "Input" top: "a" input_param { shape { dim: 2 } } }').layer[0]
    assert said.messages[0].endswith("1 inputs, but 2 input_shape and 0 input_dim: the last shapes are not used")


def test_inputs_without_shape_are_left_out_with_a_word(said: pytest.LogCaptureFixture):
    assert upgraded('name: "n" input: "a"') == message('name: "n"')
    assert said.messages == ["net.prototxt:1:11: input has no shape: left out"]


@pytest.mark.parametrize("dims", ["input_dim: 1", "input_shape { dim: 1 }", "input_dim: [1, 2, 3, 4, 5]"])
def test_an_input_that_lacks_its_shape(dims: str):
    with pytest.raises(NetError, match=r"^net.prototxt:1:1: 2 inputs, but \d input_shape and \d input_dim"):
        upgraded(f'input: "a" input: "b" {dims}')


def test_old_batch_norm_is_not_learned(said: pytest.LogCaptureFixture):
    text = 'layer { name: "b" type: "BatchNorm" param { name: "m" lr_mult: 1 } param { } param { lr_mult: 0 } }'
    zeros = "lr_mult: 0 decay_mult: 0"
    fixed = (
        f'layer {{ name: "b" type: "BatchNorm" param {{ name: "m" {zeros} }} param {{ {zeros} }} param {{ {zeros} }} }}'
    )
    assert upgraded(text) == message(fixed)
    assert said.messages == ["net.prototxt: upgraded: lr_mult and decay_mult of 1 BatchNorm layers set to 0"]
    assert upgraded(fixed) == message(fixed) and len(said.messages) == 1
    two = text.replace("param { lr_mult: 0 }", "")
    assert upgraded(two) == message(two)


# --- solvers ----------------------------------------------------------------------------------------------------------


def solver_document(text: str) -> prototxt.Document[SolverParameter]:
    return prototxt.parse(text, SolverParameter, "solver.prototxt")


@pytest.mark.parametrize("name", SolverParameter.SolverType.keys())
def test_solver_types(name: str):
    config = SolverConfig(solver_document(f'{SOLVER.replace("ADAGRAD", name)} net: "n"'))
    assert config.param.type.upper() == name
    with pytest.raises(SolverError, match=r"solver.prototxt:1:1: .*type and solver_type are both given"):
        SolverConfig(solver_document(SOLVER + 'type: "SGD"'))


@pytest.mark.parametrize("field", ["net_param", "train_net_param", "test_net_param"])
def test_nets_inside_a_solver(field: str, said: pytest.LogCaptureFixture):
    given = solver_document(f"{SOLVER}{field} {{ {V1} }}")
    new, complete = upgrade_solver(given.message, given)
    todays = solver_document(f"{SOLVER}{field} {{ {TODAY} }}").message
    todays.type = "AdaGrad"
    todays.ClearField("solver_type")
    assert new == todays and complete
    assert given.message.HasField("solver_type")
    assert said.messages[-1].startswith(f"solver.prototxt:2:1: {field}: upgraded from the format of 2014 (V1)")


def test_a_solver_upgrades_the_net_inside_it_once(said: pytest.LogCaptureFixture):
    config = SolverConfig(
        solver_document(f"test_iter: 1 test_interval: 1 {SOLVER} net_param {{\n{V1.replace('num_output: 4', '')}}}")
    )
    train, [test] = config.train_net(), config.test_nets()
    assert sum("upgraded" in m for m in said.messages) == 1
    assert train.definition is test.definition
    with pytest.raises(NetError, match=r"^solver.prototxt:1\d:\d+: layer \"ip\".*num_output"):
        Net(train.definition, brew.TRAIN)


CEIL_MODE = 14  # Synopsys' number
POOL = 'layer { name: "d" type: "Input" top: "d" input_param { shape { dim: [1, 1, 6, 6] } } } layer { name: "p" type: "Pooling" bottom: "d" top: "p" pooling_param { kernel_size: 3 stride: 2 %s } }'


@pytest.mark.parametrize(("value", "word", "size"), [(0, "FLOOR", 2), (1, "CEIL", 3), (0, "CEIL", 3), (1, "FLOOR", 2)])
def test_ceil_mode_of_a_binary_net(value: int, word: str, size: int, said: pytest.LogCaptureFixture):
    both = (value == 1) != (word == "CEIL")  # then the field of Caffe's counts
    given = message(POOL % (f"round_mode: {word}" if both else ""))
    given.layer[1].pooling_param.MergeFromString(bytes([CEIL_MODE << 3, value]))
    before = given.SerializeToString()
    assert upgrade_net(given).message() == message(POOL % f"round_mode: {word}")
    assert said.messages == ['net "": upgraded: ceil_mode (field 14) of 1 Pooling layers is round_mode']
    assert given.SerializeToString() == before
    assert Net(given, brew.TEST).blobs["p"].shape == (1, 1, size, size)


def test_ceil_mode_of_2014(said: pytest.LogCaptureFixture):
    text = 'layers { name: "p" type: POOLING bottom: "d" top: "p" pooling_param { kernel_size: 3 ceil_mode: false } }'
    assert upgraded(text).layer[0].pooling_param.round_mode == PoolingParameter.FLOOR
    given = message(text.replace("ceil_mode: false", ""))
    given.layers[0].pooling_param.MergeFromString(bytes([CEIL_MODE << 3, 0]))
    assert upgrade_net(given).layers[0].param.pooling_param.round_mode == PoolingParameter.FLOOR
