"""Depthwise convolutions in code of our own, in nets: against NumPy, alone and fused, in both phases."""

from __future__ import annotations

import numpy as np
import pytest
from convolution_nets import feed, same, trained, ways

import brew
from brew import prototxt
from brew.layer.choices import Choices
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

pytestmark = [pytest.mark.onednn, pytest.mark.native]

FILLERS = 'weight_filler { type: "msra" } bias_filler { type: "uniform" min: -1 max: 1 }'


def depthwise(name: str, bottom: str, fields: str, channels: int = 24) -> str:
    ends = f'name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"'
    param = f"num_output: {channels} group: {channels} kernel_size: 3 {fields} {FILLERS}"
    return f"layer {{ {ends} convolution_param {{ {param} }} }}\n"


IN = 'layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 3 dim: 24 dim: 14 dim: 13 } } }\n'
NET = (
    "force_backward: true\n"
    + IN
    + depthwise("a", "in", "pad: 1")
    + 'layer { name: "relu a" type: "ReLU" bottom: "a" top: "a" relu_param { negative_slope: 0.25 } }\n'
    + depthwise("b", "a", "pad: 1 bias_term: false")
    + """layer { name: "bn" type: "BatchNorm" bottom: "b" top: "b" }
    layer { name: "scale" type: "Scale" bottom: "b" top: "b" scale_param { bias_term: true } }
    layer { name: "sum" type: "Eltwise" bottom: "b" bottom: "a" top: "sum" }
    layer { name: "relu" type: "ReLU" bottom: "sum" top: "sum" }\n"""
    + depthwise("c", "sum", "pad: 1 stride: 2")
)


def net(engine: str, phase: int, text: str = NET, **options: object) -> Net:
    return Net(prototxt.parse(text, NetParameter), phase, engine=engine, seed=5, **options)  # type: ignore[arg-type]


def all_go(way: str) -> dict[str, dict[str, str]]:
    return {name: {"forward": way, "backward": way} for name in "abc"}


@pytest.mark.parametrize("fuse", [True, False])
def test_training_as_numpy_does_with_shapes_that_come_and_go(fuse: bool) -> None:
    ours, numpy = net("onednn", brew.TRAIN, fuse=fuse), net("caffe", brew.TRAIN)
    assert ways(ours) == all_go("depthwise")
    for shape in ((3, 24, 14, 13), (1, 24, 9, 20), (4, 24, 15, 13), (3, 24, 14, 13)):
        same(trained(ours, shape), trained(numpy, shape))


@pytest.mark.parametrize("keep", [None, []])
def test_testing_as_numpy_does_with_weights_that_change(keep: list[str] | None) -> None:
    ours, numpy = net("onednn", brew.TEST, keep=keep), net("caffe", brew.TEST)
    assert [passes["forward"] for passes in ways(ours).values()] == ["depthwise"] * 3
    for step in range(2):
        for it in (ours, numpy):
            feed(it, (3, 24, 14, 13))
            it.params["b"][0].data[...] *= 1 + step
            it.params["a"][1].data[...] += step
            it.forward()
        want = numpy.blobs["c"].data
        np.testing.assert_allclose(ours.blobs["c"].data, want, rtol=0, atol=1e-4 * abs(want).max())


@pytest.mark.parametrize(
    ("weights", "bias", "below", "name"),
    [(0, 1, 0, "filters"), (1, 0, 0, "filters"), (0, 1, 1, "backward"), (1, 0, 1, "backward"), (0, 0, 1, "bottom")],
)
def test_only_the_gradients_that_are_wanted(weights: int, bias: int, below: int, name: str) -> None:
    learns = f"param {{ lr_mult: {weights} }} param {{ lr_mult: {bias} }}"
    text = (
        IN
        + depthwise("a", "in", "pad: 1").replace('top: "a"', 'top: "a"' + f" param {{ lr_mult: {below} }}" * 2)
        + depthwise("c", "a", "pad: 1").replace('top: "c"', f'top: "c" {learns}')
        + 'layer { name: "loss" type: "EuclideanLoss" bottom: "c" bottom: "in" top: "loss" }'
    )
    ours, numpy = net("onednn", brew.TRAIN, text), net("caffe", brew.TRAIN, text)
    assert ways(ours)["c"] == {"forward": "depthwise", name: "depthwise"}
    for it in (ours, numpy):
        feed(it, (3, 24, 14, 13))
        it.forward()
        it.backward()
    for layer, number in (("a", 0), ("a", 1), ("c", 0), ("c", 1)):
        got, want = (it.params[layer][number].diff for it in (ours, numpy))
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * max(1, abs(want).max()))


@pytest.mark.parametrize(
    "text",
    [
        depthwise("c", "in", "pad: 1 dilation: 2"),
        depthwise("c", "in", "pad: 1 stride_h: 1 stride_w: 2"),
        depthwise("c", "in", "stride: 3"),
        depthwise("c", "in", "pad: 4"),
        depthwise("c", "in", "pad: 1").replace("num_output: 24", "num_output: 48"),
        depthwise("c", "in", "pad: 1").replace("group: 24", "group: 12"),
    ],
)
def test_what_it_cannot_do_others_do(text: str) -> None:
    text = "force_backward: true\n" + IN + text
    ours, numpy = net("onednn", brew.TRAIN, text), net("caffe", brew.TRAIN, text)
    assert set(ways(ours)["c"]) == {"forward", "filters", "bottom"}
    assert set(ways(ours)["c"].values()) <= {"direct", "grouped", "planes"}
    shape = (2, 24, 14, 13)
    same(trained(ours, shape), trained(numpy, shape))


def test_both_ways_are_tried_and_give_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("BREW_CACHE", str(tmp_path))
    ours, numpy = net("onednn", brew.TRAIN, choices=Choices(measured=True)), net("caffe", brew.TRAIN)
    assert ways(ours) == all_go("timed")
    for _ in range(10):
        same(trained(ours, (3, 24, 14, 13)), trained(numpy, (3, 24, 14, 13)))
    assert len(ours.choices.decided) == 6
    assert {way for passes in ways(ours).values() for way in passes.values()} <= {"depthwise", "direct"}


def test_a_way_that_was_decided_is_gone() -> None:
    choices = Choices()
    choices.replay(dict.fromkeys(_keys(), "direct"))
    ours, numpy = net("onednn", brew.TRAIN, choices=choices), net("caffe", brew.TRAIN)
    assert ways(ours) == all_go("direct")
    same(trained(ours, (3, 24, 14, 13)), trained(numpy, (3, 24, 14, 13)))


def _keys() -> list[str]:
    asked = Choices()
    net("onednn", brew.TRAIN, choices=asked)
    return list(asked.decided)
