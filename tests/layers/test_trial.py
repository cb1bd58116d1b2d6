"""Passes of convolutions while it is not decided which way they go: both ways in turn, and no number but rounding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from convolution_nets import convolutions

import brew
from brew import prototxt
from brew.layer.choices import Choices
from brew.layers.onednn._passes import Pass
from brew.layers.onednn._trial import Trial
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

pytestmark = [pytest.mark.onednn, pytest.mark.native]

NET = """force_backward: true
layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 2 dim: 32 dim: 14 dim: 13 } } }
layer { name: "a" type: "Convolution" bottom: "in" top: "a" convolution_param { num_output: 64 kernel_size: 3 pad: 1
  weight_filler { type: "msra" } bias_filler { type: "uniform" } } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "Convolution" bottom: "a" top: "b" convolution_param { num_output: 64 kernel_size: 5 pad: 2
  weight_filler { type: "msra" } bias_term: false } }
"""
ALL = {"forward", "filters", "bottom"}


class Stopwatch:
    """Time that passes only while a pass computes: as much as `costs` says of its class."""

    def __init__(self, costs: dict[str, float]) -> None:
        self.now, self.costs, self.ran = 0.0, costs, list[str]()

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that knows nothing."""
    monkeypatch.setenv("BREW_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stopwatch]:
    """Makes one."""
    run = Pass.run

    def make(**costs: float) -> Stopwatch:
        watch = Stopwatch(costs)

        def timed(self: Pass, io: object) -> None:
            run(self, io)  # type: ignore[arg-type]
            watch.now += costs[type(self).__name__]
            watch.ran.append(type(self).__name__)

        monkeypatch.setattr(Pass, "run", timed)
        return watch

    return make


COSTS = {
    "DirectForward": 2.0, "WinogradForward": 3.0, "DirectWeights": 3.0, "WinogradWeights": 2.0, "DirectData": 2.0,
    "WinogradData": 3.0,
}  # fmt: skip


def net(choices: Choices, phase: int = brew.TRAIN, *, text: str = NET, fuse: bool = True) -> Net:
    return Net(prototxt.parse(text, NetParameter), phase, engine="onednn", seed=5, choices=choices, fuse=fuse)


def step(it: Net, number: int = 0) -> dict[str, np.ndarray]:
    """Forward and backward on values drawn with `number`: what they make."""
    random = np.random.default_rng(number)
    it.blobs["in"].data[...] = random.standard_normal(it.blobs["in"].shape)
    it.forward()
    it.blobs["b"].diff[...] = random.standard_normal(it.blobs["b"].shape)
    it.clear_param_diffs()
    it.backward()
    gradients = {f"{n}/{i}": b.diff.copy() for n, blobs in it.params.items() for i, b in enumerate(blobs)}
    return gradients | {
        "a": it.blobs["a"].data.copy(),
        "b": it.blobs["b"].data.copy(),
        "in": it.blobs["in"].diff.copy(),
    }


@pytest.mark.parametrize("fuse", [True, False])
def test_every_run_of_a_trial_is_right_and_the_fastest_way_stays(
    stopwatch: Callable[..., Stopwatch], fuse: bool
) -> None:
    watch = stopwatch(**COSTS)
    choices = Choices(measured=True, clock=watch)
    it = net(choices, fuse=fuse)
    numpy = Net(prototxt.parse(NET, NetParameter), brew.TRAIN, engine="caffe", seed=5)
    for name, how in convolutions(it).items():
        assert all(isinstance(one, Trial) for one in how.passes.values()) and how.passes.keys() == ALL, name
    for number in range(10):
        got, want = step(it, number), step(numpy, number)
        for name, value in want.items():
            np.testing.assert_allclose(got[name], value, rtol=0, atol=1e-4 * abs(value).max(), err_msg=name)
        assert bool(choices.decided) == (number >= 7), "a run of each to warm up, three that count"
    assert len(choices.decided) == 6 and set(watch.ran) == set(COSTS)
    watch.ran.clear()
    step(it)
    assert set(watch.ran) == {"DirectForward", "WinogradWeights", "DirectData"}
    want_ways = {"forward": "direct", "filters": "Winograd", "bottom": "direct"}
    assert {name: dict(how.ways()) for name, how in convolutions(it).items()} == {"a": want_ways, "b": want_ways}


def test_the_rule_goes_first_so_that_shapes_that_change_in_every_batch_follow_it(
    stopwatch: Callable[..., Stopwatch],
) -> None:
    watch = stopwatch(**COSTS)
    it = net(Choices(measured=True, clock=watch))
    for number in range(12):
        it.blobs["in"].reshape(2, 32, 14, 13 + number % 2)
        it.reshape()
        step(it)
    assert all(name.startswith("Winograd") for name in watch.ran) and not it.choices.decided


def test_shapes_that_come_back_are_not_timed_again(stopwatch: Callable[..., Stopwatch]) -> None:
    watch = stopwatch(**COSTS)
    it = net(Choices(measured=True, clock=watch))
    for across in (13, 20, 13):
        it.blobs["in"].reshape(2, 32, 14, across)
        it.reshape()
        watch.ran.clear()
        for _ in range(9):
            step(it)
    assert set(watch.ran) == {"DirectForward", "WinogradWeights", "DirectData"}
    assert len(it.choices.decided) == 12


def test_layers_of_one_shape_share_a_trial(stopwatch: Callable[..., Stopwatch]) -> None:
    layer = 'layer {{ name: "{0}" type: "Convolution" bottom: "{1}" top: "{0}" {2} }}'
    param = "convolution_param { num_output: 64 kernel_size: 3 pad: 1 }"
    text = NET.split('layer { name: "b"')[0] + layer.format("c", "a", param) + layer.format("b", "c", param)
    it = net(Choices(measured=True, clock=stopwatch(**COSTS)), text=text)
    for _ in range(6):
        step(it)
    assert len(it.choices.decided) == 3, "c and b go alike, and each has given times; a still waits for its own"
    step(it)
    assert convolutions(it)["c"].ways() == convolutions(it)["b"].ways() != convolutions(it)["a"].ways()


def test_a_trial_needs_the_memory_of_the_larger_way() -> None:
    def workspace(decided: dict[str, str] | None) -> dict[str, int]:
        it = Choices(measured=True)
        it.replay(decided or {})
        how = convolutions(net(it))["b"]
        return {
            what: sum(-(-int(np.prod(b.shape)) // 16) * 16 for b in one.buffers.values())
            for what, one in how.passes.items()
        }

    keys = net(Choices()).choices.decided
    ways = [workspace(dict.fromkeys(keys, way)) for way in ("direct", "Winograd")]
    assert workspace(None) == {what: max(way[what] for way in ways) for what in ALL}


def test_only_training_is_timed() -> None:
    it = net(Choices(measured=True), brew.TEST)
    assert not any(isinstance(one, Trial) for how in convolutions(it).values() for one in how.passes.values())
    assert all(how.passes["forward"].way == "Winograd" for how in convolutions(it).values())


def test_a_way_of_ours_takes_the_direct_one_s_place_where_onednn_has_no_code() -> None:
    """Few channels that fill no block: MTCNN's first net."""
    sizes = {"a": 16, "b": 28}
    text = NET.replace("dim: 32", "dim: 10")
    for name, outputs in sizes.items():
        text = text.replace(
            f'top: "{name}" convolution_param {{ num_output: 64',
            f'top: "{name}" convolution_param {{ num_output: {outputs}',
        )
    choices = Choices(measured=True)
    it = net(choices, text=text)
    numpy = Net(prototxt.parse(text, NetParameter), brew.TRAIN, engine="caffe", seed=5)
    for number in range(10):
        got, want = step(it, number), step(numpy, number)
        for name, value in want.items():
            np.testing.assert_allclose(got[name], value, rtol=0, atol=1e-4 * abs(value).max(), err_msg=name)
    assert choices.decided
