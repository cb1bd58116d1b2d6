"""compare.py: that its contestants compute the same, take turns, and that what it prints is what they did."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TRAIN, TEST = 0, 1

# Every type and odd size that the nets have: pooling that overhangs, both kinds of LRN, groups, an own input for a branch.
ALL = """
layer { name: "in" type: "Input" top: "data" top: "label" input_param { shape { dim: 6 dim: 4 dim: 14 dim: 14 } shape { dim: 6 } } }
layer { name: "c1" type: "Convolution" bottom: "data" top: "c1" convolution_param { num_output: 8 kernel_size: 3 pad: 1 group: 2 weight_filler { type: "msra" } bias_filler { type: "constant" value: 0.1 } } }
layer { name: "r1" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "n1" type: "LRN" bottom: "c1" top: "n1" lrn_param { local_size: 5 alpha: 0.5 beta: 0.75 } }
layer { name: "p1" type: "Pooling" bottom: "n1" top: "p1" pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "n2" type: "LRN" bottom: "p1" top: "n2" lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 norm_region: WITHIN_CHANNEL } }
layer { name: "c2" type: "Convolution" bottom: "n2" top: "c2" convolution_param { num_output: 8 kernel_size: 1 bias_term: false weight_filler { type: "msra" } } }
layer { name: "b2" type: "BatchNorm" bottom: "c2" top: "c2" }
layer { name: "s2" type: "Scale" bottom: "c2" top: "c2" scale_param { bias_term: true } }
layer { name: "e" type: "Eltwise" bottom: "c2" bottom: "n2" top: "e" }
layer { name: "re" type: "ReLU" bottom: "e" top: "e" }
layer { name: "p2" type: "Pooling" bottom: "e" top: "p2" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "p3" type: "Pooling" bottom: "e" top: "p3" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "k" type: "Concat" bottom: "p2" bottom: "p3" top: "k" }
layer { name: "s3" type: "Scale" bottom: "k" top: "s3" }
layer { name: "flat" type: "Flatten" bottom: "s3" top: "flat" }
layer { name: "aux" type: "InnerProduct" bottom: "flat" top: "aux" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "l1" type: "SoftmaxWithLoss" bottom: "aux" bottom: "label" top: "l1" loss_weight: 0.3 }
layer { name: "g" type: "Pooling" bottom: "s3" top: "g" pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "Convolution" bottom: "g" top: "fc" convolution_param { num_output: 5 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "l2" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "l2" }
"""


@pytest.fixture(autouse=True)
def beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.fixture
def compare() -> ModuleType:
    return importlib.import_module("compare")


def small(name: str) -> NetParameter:
    if name == "all":
        return prototxt.parse(ALL, NetParameter).message
    nets = importlib.import_module("nets")
    return nets.timed(nets.BenchmarkNet(name, nets.NETS[name].file, (6, *nets.NETS[name].data[1:]), 5), TRAIN)


def batch(net: Net) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    images = random.standard_normal(net.blobs["data"].shape).astype(np.float32)
    return images, random.integers(0, 5, 6)


def with_batch(message: NetParameter, phase: int) -> Net:
    """The net in Brew with its batch and, in BatchNorm, statistics that are not those of an empty net."""
    net = Net(message, phase, seed=3)
    for layer, blobs in net.params.items():
        if net.layer_dict[layer].type == "BatchNorm":
            for blob, value in zip(blobs, (0.2, 3.0, 2.0), strict=True):
                blob.data[...] = value
    net.blobs["data"].data[...], net.blobs["label"].data[...] = batch(net)
    return net


def blob_of(net: Net) -> Any:
    """Weights by the names that contestants ask for."""

    def get(name: str) -> np.ndarray:
        layer, _, index = name.rpartition("/")
        return np.array(net.params[layer][int(index)].data)

    return get


@pytest.mark.peer
@pytest.mark.parametrize("channels_last", [False, True], ids=["default", "channels-last"])
@pytest.mark.parametrize("name", ["lenet", "cifar10_full", "all"])
def test_the_peer_computes_what_brew_does(name: str, channels_last: bool) -> None:
    torch = importlib.import_module("torch")
    peer_of = importlib.import_module("torch_peer").Peer
    message = small(name)
    net = with_batch(message, TRAIN)
    peer = peer_of(message).train()
    peer.load(lambda blob: torch.from_numpy(blob_of(net)(blob)))
    images, labels = (torch.from_numpy(x) for x in batch(net))
    if channels_last:
        peer, images = peer.to(memory_format=torch.channels_last), images.contiguous(memory_format=torch.channels_last)
    loss = peer(images, labels)
    loss.backward()
    net.forward()
    net.backward()
    assert loss.item() == pytest.approx(net.loss(), rel=1e-4)
    for blob, tensor in peer.blobs.items():
        if tensor.grad is not None:
            layer, _, index = blob.rpartition("/")
            ours = net.params[layer][int(index)].diff
            np.testing.assert_allclose(tensor.grad.numpy(), ours, rtol=1e-3, atol=1e-4 * abs(ours).max(), err_msg=blob)
    learned = {blob for blob, tensor in peer.blobs.items() if tensor.requires_grad}
    norms = {x.name for x in message.layer if x.type == "BatchNorm"}
    assert learned == {f"{n}/{i}" for n, blobs in net.params.items() if n not in norms for i in range(len(blobs))}


@pytest.mark.peer
@pytest.mark.parametrize("name", ["lenet", "cifar10_full", "all"])
def test_every_program_has_brews_loss_in_test(name: str) -> None:
    torch, runtime = importlib.import_module("torch"), importlib.import_module("onnxruntime")
    message = small(name)
    net = with_batch(message, TEST)
    net.forward()
    peer = importlib.import_module("torch_peer").Peer(message).eval()
    peer.load(lambda blob: torch.from_numpy(blob_of(net)(blob)))
    images, labels = batch(net)
    with torch.inference_mode():
        assert peer(torch.from_numpy(images), torch.from_numpy(labels)).item() == pytest.approx(net.loss(), rel=1e-4)
    model = importlib.import_module("onnx_model").model(message, blob_of(net))
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    [loss] = session.run(None, {"data": images, "label": labels})
    assert float(loss.sum()) == pytest.approx(net.loss(), rel=1e-4)


@pytest.mark.parametrize("mode", ["train", "forward"])
def test_brew_takes_turns(mode: str, tmp_path: Path) -> None:
    race, nets = importlib.import_module("race"), importlib.import_module("nets")
    weights, onnx, reason = race.prepare("lenet", tmp_path, 1, onnx=False)
    assert (onnx, reason) == (None, "")
    said: list[str] = []
    machine = race.Machine(1)
    spec = race.Spec("brew", "lenet", mode, 1, str(weights))
    wrong = race.Spec("brew", "lenet", mode, 1, str(weights), options={"no_such_option": 1})
    try:
        results = race.race({"brew": spec, "wrong": wrong}, 2, 0.01, machine, said.append, {})
    finally:
        machine.close()
    brew = results["brew"]
    assert brew.ran
    assert len(brew.rounds) == 2
    assert 0 < brew.fastest <= brew.median
    assert brew.fastest == min(t for times in brew.rounds for t in times)
    assert brew.memory > 4 * 431_080 * (3 if mode == "train" else 1)  # weights, gradients, history
    assert brew.loss == pytest.approx(expected_loss(nets, weights), rel=1e-4)
    assert not results["wrong"].ran
    assert "no_such_option" in results["wrong"].error
    assert machine.sgemm > 1e8
    assert machine.rates["copy"] > 1e8


def expected_loss(nets: Any, weights: Path) -> float:
    net = Net(nets.timed(nets.NETS["lenet"], TEST), TEST, weights=weights)
    net.blobs["data"].data[...], net.blobs["label"].data[...] = nets.batch(nets.NETS["lenet"])
    net.forward()
    return net.loss()


def test_a_contestant_that_dies_is_told_apart_from_one_that_is_slow() -> None:
    race = importlib.import_module("race")
    child = race.Child("machine.py", "no number", 1)
    with pytest.raises(race.ContestantError, match="ended with code 1"):
        child.answer()
    child.close()


def made(compare: ModuleType, **fastest: float) -> Any:
    results = {}
    for name, seconds in fastest.items():
        key = name.replace("_", "-")
        results[key] = compare.Result(rounds=[[seconds * 2, seconds * 3], [seconds]], memory=3 << 20, loss=1.0)
    return compare.Match("lenet", "forward", 64, 10**6, results)


def test_the_better_layout_is_the_peer_and_the_fastest_step_counts(compare: ModuleType) -> None:
    match = made(compare, brew=0.1, torch=0.4, torch_channels_last=0.2, onnxruntime=0.05)
    assert match.peer() == "torch-channels-last"
    heading, row, means = compare.table([match], "forward", sgemm=1e9)
    cells = dict(zip(heading, row, strict=True))
    assert cells["brew"] == "100.00 (200.00)"
    assert cells["brew / torch"] == "0.50"
    assert cells["brew / onnxruntime"] == "2.00"
    assert cells["brew of sgemm"] == "2%"
    assert cells["MiB brew"] == "3"
    assert dict(zip(heading, means, strict=True))["brew / torch"] == "0.50"


def test_means_are_geometric_and_leave_failures_out(compare: ModuleType) -> None:
    failed = made(compare, brew=0.1, torch=0.1)
    failed.results["torch"].error = "out of memory"
    matches = [made(compare, brew=0.1, torch=0.1), made(compare, brew=0.4, torch=0.1), failed]
    heading, *rows = compare.table(matches, "forward", 1e9)
    column = [row[heading.index("brew / torch")] for row in rows]
    assert column == ["1.00", "4.00", "", "2.00"]
    assert rows[2][heading.index("torch")] == "failed"


def test_losses_that_differ_are_told(compare: ModuleType) -> None:
    match = made(compare, brew=0.1, torch=0.1)
    assert compare.disagreements(match) == []
    match.results["torch"].loss = 1.01
    assert compare.disagreements(match) == ["lenet: the loss of brew is 1, of torch 1.01"]


def test_engines_stand_beside_one_another(compare: ModuleType) -> None:
    asked = compare.parser().parse_args(["--engine", "caffe", "--engine", "onednn", "--net-option", "keep=[]",
                                         "--without", "torch"])  # fmt: skip
    found = compare.contestants(asked, "forward")
    assert list(found) == ["brew-caffe", "brew-onednn", "torch-channels-last", "onnxruntime"]
    assert found["brew-onednn"] == ("brew", {"keep": [], "engine": "onednn"})
    assert "onnxruntime" not in compare.contestants(asked, "train")


def test_an_older_checkout_stands_beside_this_one(compare: ModuleType, tmp_path: Path) -> None:
    old = tmp_path / "old"
    (old / "benchmarks").mkdir(parents=True)
    (old / "benchmarks/contestant.py").write_text("import json, brew\nprint(json.dumps({'loss': brew.THE_OLD_ONE}))\n")
    (old / "brew").mkdir()
    (old / "brew/__init__.py").write_text("THE_OLD_ONE = 77\n")
    asked = compare.parser().parse_args(["--before", str(old), "--without", "torch"])
    assert compare.contestants(asked, "forward")["before-old"] == ("brew", {})
    race = importlib.import_module("race")
    child = race.Child("contestant.py", "{}", 1, asked.before[0])
    assert child.answer() == {"loss": 77}
    child.close()
    match = made(compare, brew=0.1, before_old=0.2)
    heading, row, _ = compare.table([match], "forward", 1e9)
    assert dict(zip(heading, row, strict=True))["brew / before-old"] == "0.50"
    with pytest.raises(SystemExit):
        compare.parser().parse_args(["--before", str(tmp_path)])


def test_an_unknown_net_is_refused(compare: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        compare.main(["--nets", "lenet,alexnet"])
    assert "no net alexnet; there are lenet," in capsys.readouterr().err


def test_what_is_timed_has_no_layer_that_only_reports() -> None:
    nets = importlib.import_module("nets")
    for name, of in nets.NETS.items():
        for phase in (TRAIN, TEST):
            types = [layer.type for layer in nets.timed(of, phase).layer]
            assert types[0] == "Input", name
            assert not {"Data", "Accuracy"} & set(types), name


def test_a_turn_lasts_as_long_as_asked() -> None:
    contestant = importlib.import_module("contestant")
    calls: list[int] = []
    times = contestant.turn(lambda: calls.append(1), 0.002, 0.0)
    assert sum(times) >= 0.002
    assert len(calls) == len(times) + 1  # the first one warms up
    calls.clear()
    assert len(contestant.turn(lambda: calls.append(1), 0.0, 1.0)) == len(calls)


def test_json_has_what_was_measured(compare: ModuleType) -> None:
    match = made(compare, brew=0.1, torch=0.2)
    match.results["onnxruntime"] = compare.Result(error="there is none")
    facts = json.loads(json.dumps(match.as_dict(1e9)))
    assert facts["contestants"]["brew"]["to_torch"] == 0.5
    assert facts["contestants"]["brew"]["rounds"] == [[0.2, pytest.approx(0.3)], [0.1]]
    assert facts["contestants"]["brew"]["flops"] == pytest.approx(2e7)
    assert facts["contestants"]["onnxruntime"] == {"error": "there is none"}
