"""Grouped convolutions that keep plain blobs plain, in nets: against NumPy, alone and fused, in both phases."""

from __future__ import annotations

import numpy as np
import pytest
from convolution_nets import convolutions, feed, same, trained, ways

import brew
from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

pytestmark = [pytest.mark.onednn, pytest.mark.native]

SHAPE = (3, 24, 14, 14)
IN = 'layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 3 dim: 24 dim: 14 dim: 14 } } }\n'


def convolution(name: str, bottom: str, fields: str, params: str = "") -> str:
    ends = f'name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" {params}'
    fillers = 'weight_filler { type: "msra" } bias_filler { type: "uniform" min: -1 max: 1 }'
    return f"layer {{ {ends} convolution_param {{ {fields} {fillers} }} }}\n"


NET = (
    "force_backward: true\n"
    + IN
    + convolution("a", "in", "num_output: 20 group: 4 kernel_size: 3 pad: 1")
    + 'layer { name: "relu a" type: "ReLU" bottom: "a" top: "a" relu_param { negative_slope: 0.25 } }\n'
    + convolution("b", "a", "num_output: 24 group: 4 kernel_size: 1 bias_term: false")
    + """layer { name: "bn" type: "BatchNorm" bottom: "b" top: "b" }
    layer { name: "scale" type: "Scale" bottom: "b" top: "b" scale_param { bias_term: true } }
    layer { name: "sum" type: "Eltwise" bottom: "b" bottom: "in" top: "sum" }
    layer { name: "relu" type: "ReLU" bottom: "sum" top: "sum" }\n"""
    + convolution("c", "sum", "num_output: 24 group: 24 kernel_size: 5 pad: 2 stride: 2")
)


def net(engine: str, phase: int, text: str = NET, **options: object) -> Net:
    return Net(prototxt.parse(text, NetParameter), phase, engine=engine, seed=5, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("fuse", [True, False])
def test_training_as_numpy_does_with_shapes_that_come_and_go(fuse: bool) -> None:
    ours, numpy = net("onednn", brew.TRAIN, fuse=fuse), net("caffe", brew.TRAIN)
    assert ways(ours)["a"] == {"forward": "planes", "filters": "planes", "bottom": "planes"}
    for shape in (SHAPE, (1, 24, 9, 13), (4, 24, 15, 32), SHAPE):
        same(trained(ours, shape), trained(numpy, shape))


@pytest.mark.parametrize("keep", [None, []])
def test_testing_as_numpy_does_with_weights_that_change(keep: list[str] | None) -> None:
    ours, numpy = net("onednn", brew.TEST, keep=keep), net("caffe", brew.TEST)
    assert [ways(ours)[name]["forward"] for name in "ab"] == ["planes"] * 2
    for step in range(2):
        for it in (ours, numpy):
            feed(it, SHAPE)
            it.params["b"][0].data[...] *= 1 + step
            it.params["a"][1].data[...] += step
            it.forward()
        want = numpy.blobs["c"].data
        np.testing.assert_allclose(ours.blobs["c"].data, want, rtol=0, atol=1e-4 * abs(want).max())


@pytest.mark.parametrize(("weights", "bias"), [(0, 1), (1, 0), (0, 0)])
@pytest.mark.parametrize("stride", [1, 2])
def test_only_the_gradients_that_are_wanted(weights: int, bias: int, stride: int) -> None:
    learns = f"param {{ lr_mult: {weights} }} param {{ lr_mult: {bias} }}"
    fields = f"num_output: 24 group: 6 kernel_size: 3 stride: {stride} pad: 1"
    text = IN.replace("14", "28") + convolution("a", "in", "num_output: 24 group: 4 kernel_size: 1")
    text += convolution("c", "a", fields, learns) + convolution("end", "c", "num_output: 1 kernel_size: 1")
    text += 'layer { name: "loss" type: "Reduction" bottom: "end" top: "loss" loss_weight: 1 }'
    ours, numpy = net("onednn", brew.TRAIN, text), net("caffe", brew.TRAIN, text)
    assert ways(ours)["c"]["forward"] == "planes"
    assert ("filters" in ways(ours)["c"]) == bool(weights or bias)
    for it in (ours, numpy):
        feed(it, (3, 24, 28, 28))
        it.forward()
        it.clear_param_diffs()
        it.backward()
    got, want = ({f"{n}/{i}": b.diff for n, bs in it.params.items() for i, b in enumerate(bs)} for it in (ours, numpy))
    same(got, want)


def test_blobs_in_blocks_stay_in_blocks() -> None:
    text = IN + convolution("a", "in", "num_output: 32 kernel_size: 3") + convolution(
        "c", "a", "num_output: 32 group: 8 kernel_size: 3"
    )  # fmt: skip
    how = convolutions(net("onednn", brew.TRAIN, text))["c"]
    assert "planes" not in {one.way for one in how.passes.values()}
