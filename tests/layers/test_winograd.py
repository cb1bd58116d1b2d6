"""Convolutions that Winograd's algorithm computes, in nets: against NumPy, alone and fused, in both phases."""

from __future__ import annotations

import numpy as np
import pytest
from convolution_nets import convolutions, feed, same

import brew
from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

pytestmark = [pytest.mark.onednn, pytest.mark.native]

FILLERS = 'weight_filler { type: "msra" } bias_filler { type: "uniform" min: -1 max: 1 }'


def convolution(name: str, bottom: str, fields: str) -> str:
    ends = f'name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"'
    return f"layer {{ {ends} convolution_param {{ {fields} {FILLERS} }} }}\n"


def relu(name: str) -> str:
    return f'layer {{ name: "relu {name}" type: "ReLU" bottom: "{name}" top: "{name}" }}\n'


NET = (
    """force_backward: true
    layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 3 dim: 32 dim: 14 dim: 13 } } }\n"""
    + convolution("a", "in", "num_output: 52 kernel_size: 3 pad: 1")
    + relu("a")
    + convolution("b", "a", "num_output: 64 kernel_size: 5 pad: 2")
    + convolution("c", "b", "num_output: 64 kernel_size: 3 pad: 1 group: 2 bias_term: false")
    + """layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
    layer { name: "scale" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
    layer { name: "sum" type: "Eltwise" bottom: "c" bottom: "b" top: "sum" }\n"""
    + relu("sum")
)


def net(engine: str, phase: int, *, fuse: bool = True, keep: list[str] | None = None) -> Net:
    return Net(prototxt.parse(NET, NetParameter), phase, engine=engine, seed=5, fuse=fuse, keep=keep)


def ways(it: Net) -> dict[str, list[str]]:
    """Which passes of which convolutions are Winograd's."""
    return {
        name: [type(one).__name__.removeprefix("Winograd") for one in how.passes.values()]
        for name, how in convolutions(it).items()
    }


def trained(it: Net, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    feed(it, shape)
    it.forward()
    it.blobs["sum"].diff[...] = np.random.default_rng(1).standard_normal(it.blobs["sum"].shape)
    it.clear_param_diffs()
    it.backward()
    gradients = {f"{n}/{i}": b.diff.copy() for n, bs in it.params.items() for i, b in enumerate(bs) if n != "bn"}
    values = {name: blob.data.copy() for name, blob in it.blobs.items()}
    return {**values, **gradients, "in/diff": it.blobs["in"].diff.copy()}


@pytest.mark.parametrize("fuse", [True, False])
def test_training_as_numpy_does_with_shapes_that_come_and_go(fuse: bool) -> None:
    ours, numpy = net("onednn", brew.TRAIN, fuse=fuse), net("caffe", brew.TRAIN)
    for name in "abc":
        assert ways(ours)[name] == ["Forward", "Weights", "Data"], name
    for shape in ((3, 32, 14, 13), (1, 32, 9, 20), (4, 32, 14, 13), (3, 32, 14, 13)):
        same(trained(ours, shape), trained(numpy, shape))


@pytest.mark.parametrize("keep", [None, []])
@pytest.mark.parametrize(("size", "kept"), [((14, 13), True), ((56, 52), False)])
def test_testing_as_numpy_does_with_weights_that_change(
    size: tuple[int, int], kept: bool, keep: list[str] | None
) -> None:
    """On large planes the filters are transformed for every pass, to save memory."""
    ours, numpy = net("onednn", brew.TEST, keep=keep), net("caffe", brew.TEST)
    for step in range(2):
        for it in (ours, numpy):
            feed(it, (3, 32, *size))
            it.params["b"][0].data[...] *= 1 + step
            it.params["a"][1].data[...] += step
            it.forward()
        assert ways(ours)["b"][0] == "Forward"
        assert {name: how.keeps for name, how in convolutions(ours).items()} == dict.fromkeys("abc", kept)
        want = numpy.blobs["sum"].data
        np.testing.assert_allclose(ours.blobs["sum"].data, want, rtol=0, atol=1e-4 * abs(want).max())


def test_without_code_of_our_own_onednn_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    from brew.cpu.llvm import compiler

    monkeypatch.setattr(compiler, "why_not", lambda: "llvmlite is not installed")
    assert all(names[0] == "DirectForward" for names in ways(net("onednn", brew.TRAIN)).values())


def test_little_work_stays_with_onednn() -> None:
    """Filters so many that transforming them costs more than it saves."""
    text = 'layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 1 dim: 512 dim: 3 dim: 3 } } }\n'
    text += convolution("a", "in", "num_output: 512 kernel_size: 3 pad: 1")
    it = Net(prototxt.parse(text, NetParameter), brew.TRAIN, engine="onednn")
    assert ways(it) == {"a": ["DirectForward"]}
