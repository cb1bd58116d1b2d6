"""Layers run in place only where no number can tell: every other one gets a top of its own, and is said to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import brew
from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.reports.plan_lines import plan_lines
from brew.solver.solver import Solver

FAULTS = Path(__file__).parents[1] / "fixtures" / "faults"
Values = dict[str, npt.NDArray[np.float64]]

INPUTS = """
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 4 dim: 3 dim: 3 } } }
"""
CONV = """
layer { name: "conv" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 4 kernel_size: 1
  weight_filler { type: "msra" } bias_filler { type: "uniform" min: -1 } } }
"""
LOSS = 'layer { name: "loss" type: "EuclideanLoss" bottom: "c" bottom: "t" top: "loss" }\n'

# Types that run in place: those whose backward reads their top, and those that read their bottom or nothing.
IN_PLACE = {
    "Sigmoid": "", "TanH": "", "ELU": "", "Exp": "exp_param { scale: 0.2 }", "Softmax": "", "MVN": "",
    "ReLU": "", "BNLL": "", "Swish": "", "Clip": "clip_param { min: -0.9 max: 0.8 }", "PReLU": "",
    "Power": "power_param { power: 2 scale: 0.5 shift: 2 }", "Dropout": "", "BatchNorm": "",
    "Scale": "scale_param { bias_term: true filler { type: \"uniform\" min: 0.5 max: 2 } }", "Bias": "",
}  # fmt: skip


def layer(kind: str, name: str, bottom: str = "c", top: str = "c") -> str:
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{top}" {IN_PLACE[kind]} }}\n'


def run(text: str, **options: object) -> Values:
    """Loss, gradients of parameters and of inputs after two passes."""
    net = Net(prototxt.parse(text, NetParameter), brew.TRAIN, seed=3, **options)  # type: ignore[arg-type]
    random = np.random.default_rng(1)
    given = {name: random.normal(size=net.blobs[name].shape) for name in net.inputs}
    for _ in range(2):
        net.clear_param_diffs()
        net.forward(**given)
        gradients = net.backward()
    values = {f"d{name}": np.array(gradients[name]) for name in net.inputs if name != "t"}
    values |= {f"{name}/{i}": np.array(p.diff) for name, blobs in net.params.items() for i, p in enumerate(blobs)}
    return values | {name: np.array(net.blobs[name].data) for name in net.outputs}


def agree(in_place: str, plain: str) -> None:
    """Every engine gives for `in_place` what NumPy gives in float64 for the plain spelling."""
    want = run(plain, engine="caffe", dtype=np.float64, fuse=False)
    ways: Sequence[dict[str, object]] = ({"engine": "caffe"}, {}, {"keep": []}, {"keep": [], "recompute": True})
    largest = max(float(abs(values).max()) for values in want.values())
    for options in ways:
        got = run(in_place, **options)
        assert got.keys() == want.keys()
        for name in want:
            bound = max(2e-4 * float(abs(want[name]).max()), 2e-5 * largest)
            np.testing.assert_allclose(got[name], want[name], rtol=1e-3, atol=bound, err_msg=f"{name} {options}")


@pytest.mark.parametrize("second", ["ReLU", "Power", "Dropout", "BatchNorm", "Scale", "PReLU"])
@pytest.mark.parametrize("first", IN_PLACE)
def test_two_layers_in_place_are_as_those_with_tops_of_their_own(first: str, second: str) -> None:
    head = "force_backward: true" + INPUTS + CONV
    plain = layer(first, "a", "c", "p") + layer(second, "b", "p", "q") + LOSS.replace('"c"', '"q"')
    agree(head + layer(first, "a") + layer(second, "b") + LOSS, head + plain)


VIEWS = {
    "Split": 'layer {{ name: "v" type: "Split" bottom: "c" top: "{}" top: "{}" }}\n',
    "Reshape": 'layer {{ name: "v" type: "Reshape" bottom: "{1}" top: "{0}" reshape_param {{ shape {{ dim: 0 dim: 0 dim: 9 dim: 1 }} }} }}\n',
    "Flatten": 'layer {{ name: "v" type: "Flatten" bottom: "{1}" top: "{0}" }}\n',
    "Slice": 'layer {{ name: "v" type: "Slice" bottom: "{1}" top: "{0}" }}\n',
    "Concat": 'layer {{ name: "v" type: "Concat" bottom: "{1}" top: "{0}" }}\n',
}  # fmt: skip


@pytest.mark.parametrize("writer", ["TanH", "Power", "ReLU", "Scale", "Dropout"])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_not_changed_where_others_read_the_memory(view: str, writer: str) -> None:
    one, other = ("u", "w") if view == "Split" else ("u", "c")
    head = INPUTS + CONV + VIEWS[view].format(one, other)
    back = 'layer { name: "r" type: "Reshape" bottom: "u" top: "u4" reshape_param { shape { dim: 2 dim: 4 dim: 3 dim: 3 } } }\n'
    tail = f'layer {{ name: "e" type: "Eltwise" bottom: "u4" bottom: "{other}" top: "e" }}\n' + LOSS.replace(
        '"c"', '"e"'
    )
    plain = layer(writer, "a", "u", "p") + back.replace('"u"', '"p"')
    agree(head + layer(writer, "a", "u", "u") + back + tail, head + plain + tail)


def test_what_is_looked_at_is_what_the_layer_made() -> None:
    text = INPUTS + VIEWS["Flatten"].format("f", "x") + layer("Power", "a", "f", "f")
    net = Net(prototxt.parse(text, NetParameter), brew.TEST)
    net.blobs["x"].data[...] = 1
    net.forward()
    assert (net.blobs["x"].data == 1).all() and (net.blobs["f"].data == 6.25).all()


def test_a_gradient_from_outside_is_there_in_every_pass() -> None:
    weighted, plain = (layer("Power", "a", bottom).replace(" }\n", " loss_weight: 0.5 }\n") for bottom in ("c", "p"))
    agree(INPUTS + CONV + weighted, INPUTS + CONV.replace('top: "c"', 'top: "p"') + plain)


def test_an_input_with_layers_in_place_takes_what_is_fed_and_shows_the_last_version(device: str) -> None:
    text = "force_backward: true" + INPUTS.replace('"x"', '"c"') + layer("Sigmoid", "a") + layer("Power", "b") + LOSS
    net = Net(prototxt.parse(text, NetParameter), brew.TRAIN, device=device)
    for n in (2, 5):
        net.blobs["c"].reshape(n, 4, 3, 3)
        net.blobs["t"].reshape(n, 4, 3, 3)
        x = np.random.default_rng(n).normal(size=(n, 4, 3, 3)).astype("f4")
        net.forward(c=x, t=np.zeros_like(x))
        s = 1 / (1 + np.exp(-x))
        y = (2 + 0.5 * s) ** 2
        np.testing.assert_allclose(net.blobs["c"].data, y, rtol=1e-5)
        np.testing.assert_allclose(net.backward()["c"], y / n * (2 + 0.5 * s) * s * (1 - s), rtol=1e-4)
        np.testing.assert_allclose(net.blobs["c"].diff, y / n * (2 + 0.5 * s) * s * (1 - s), rtol=1e-4)


def test_the_plan_and_the_log_say_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "brew")
    net = Net(
        prototxt.parse(
            INPUTS + CONV + layer("ReLU", "a") + layer("BatchNorm", "b") + layer("Scale", "s") + LOSS, NetParameter
        ),
        brew.TRAIN,
    )
    reason = 'the backward of layer "a" needs what it would overwrite'
    assert [line.apart for line in plan_lines(net.executor) if line.apart] == [reason]
    assert f'not in place, so that no number changes: "b" ({reason})' in caplog.text
    assert list(net.blobs) == ["x", "t", "c", "loss"]


def test_a_net_whose_rows_are_usual_runs_as_it_is_spelled() -> None:
    rows = "".join(layer(kind, kind) for kind in ("BatchNorm", "Scale", "ReLU", "Dropout"))
    net = Net(prototxt.parse(INPUTS + CONV + rows + LOSS, NetParameter), brew.TRAIN)
    assert not any(node.apart for node in net.graph.nodes)


@pytest.mark.parametrize("path", sorted((FAULTS / "18").glob("*.prototxt")), ids=lambda p: p.stem)
def test_fault_18(path: Path) -> None:
    text = path.read_text()
    want = run(text.replace('top: "s"  }', 'top: "s0" }').replace('bottom: "s" top: "s"', 'bottom: "s0" top: "s"')
               .replace('bottom: "f" top: "f"', 'bottom: "f" top: "g"').replace('bottom: "f" bottom', 'bottom: "g" bottom')
               .replace('bottom: "c1" top: "c1"', 'bottom: "c1" top: "g"').replace('bottom: "c1" bottom', 'bottom: "g" bottom'),
               engine="caffe", dtype=np.float64)  # fmt: skip
    for options in ({}, {"engine": "caffe"}):
        got = run(text, **options)
        for name in want:
            np.testing.assert_allclose(got[name], want[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_fault_06_a_parameter_whose_first_user_exists_in_test_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (FAULTS / "06").iterdir():
        (tmp_path / path.name).write_text(path.read_text())
    solver = Solver(tmp_path / "solver2.prototxt")
    solver.step(10)
    test = solver.test_nets[0]
    for index in range(2):
        np.testing.assert_array_equal(test.params["fb"][index].data, solver.net.params["fa"][index].data)
    test.run_forward()
    assert float(test.blobs["lossA"].data) == float(test.blobs["lossB"].data) < 0.2


@pytest.mark.parametrize("name", ["50/bias", "53/net", "54/scalefrozen"])
def test_faults_50_53_and_54_run_in_both_phases(name: str) -> None:
    source = prototxt.read(FAULTS / f"{name}.prototxt", NetParameter).message
    data = next((each for each in source.layer if each.type == "Data"), None)
    shapes = None if data is None else {"data": (4, 1, 8, 8), "label": (4,)}
    results = []
    for phase in (brew.TRAIN, brew.TEST):
        for options in ({}, {"engine": "caffe"}, {"keep": []}, {"forward_only": True}):
            net = Net(source, phase, seed=2, shapes=shapes, **options)  # type: ignore[arg-type]
            for name_ in net.inputs:
                blob = net.blobs[name_]
                blob.data[...] = np.random.default_rng(0).integers(0, 5, blob.shape)
            net.run_forward()
            if not options.get("forward_only"):
                net.run_backward()
            results.append({name: np.array(net.blobs[name].data) for name in net.outputs})
        for other in results[1:]:
            for key in results[0]:
                np.testing.assert_allclose(other[key], results[0][key], rtol=1e-4, atol=1e-5)
        results.clear()


def test_frozen_layers_stay_as_they_are_bit_for_bit(tmp_path: Path) -> None:
    text = (FAULTS / "54" / "scalefrozen.prototxt").read_text()
    net_text = (
        text[: text.index('layer { name: "data"')]
        + INPUTS.replace('"x" top: "t"', '"data"')
        + text[text.index('layer { name: "conv1"') :]
    )
    net_text = net_text.replace(
        'type: "SoftmaxWithLoss" bottom: "fc" bottom: "label"', 'type: "Reduction" bottom: "fc" loss_weight: 1'
    )
    (tmp_path / "net.prototxt").write_text(net_text)
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.01 random_seed: 1'
        f' max_iter: 5 snapshot_prefix: "{tmp_path}/s" snapshot_after_train: false'
    )
    solver = Solver(tmp_path / "solver.prototxt")
    solver.net.blobs["data"].data[...] = np.random.default_rng(0).normal(size=(2, 4, 3, 3))
    before = {name: [np.array(p.data) for p in blobs] for name, blobs in solver.net.params.items()}
    solver.step(3)
    for name, blobs in solver.net.params.items():
        for old, blob in zip(before[name], blobs, strict=True):
            assert (name == "scale_conv1") == bool((old == blob.data).all()), name


def test_fault_51_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A net that people write: convolution, ReLU, BatchNorm and Scale on one top. Fused and not, the same course."""
    text = (FAULTS / "51" / "net.prototxt").read_text()
    losses = []
    for fuse in (True, False):
        net = Net(prototxt.parse(text, NetParameter), brew.TRAIN, seed=1, fuse=fuse, shapes={"data": (8, 1, 8, 8)})
        random = np.random.default_rng(0)
        net.blobs["data"].data[...] = random.random(size=net.blobs["data"].shape)
        net.blobs["label"].data[...] = random.integers(0, 10, net.blobs["label"].shape)
        for _ in range(10):
            net.clear_param_diffs()
            net.run_forward()
            net.run_backward()
            for blobs in net.params.values():
                for blob in blobs:
                    blob.data[...] -= 0.1 * blob.diff
        losses.append(net.loss())
    np.testing.assert_allclose(*losses, rtol=1e-3)
