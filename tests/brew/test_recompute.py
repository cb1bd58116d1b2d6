"""Recomputation: less memory, and not one bit of another value."""

from __future__ import annotations

from collections.abc import Callable

import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest

import brew
from brew import prototxt
from brew.net import Net
from brew.proto.brew_pb2 import NetParameter

Arrays = list[npt.NDArray[np.float32]]

HEAD = """
layer { name: "in" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 4 dim: 16 dim: 6 dim: 6 } shape { dim: 4 } } }
"""
TAIL = """
layer { name: "ip" type: "InnerProduct" bottom: "LAST" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


def convolution(name: str, bottom: str, channels: int = 16) -> str:
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" convolution_param '
        f'{{ num_output: {channels} kernel_size: 3 pad: 1 weight_filler {{ type: "msra" }} }} }}'
    )


def normalised(name: str, *, relu: bool = True) -> str:
    text = f'layer {{ name: "{name}/bn" type: "BatchNorm" bottom: "{name}" top: "{name}" }}'
    text += f'layer {{ name: "{name}/s" type: "Scale" bottom: "{name}" top: "{name}" scale_param {{ bias_term: true }} }}'
    return text + (rectified(name) if relu else "")


def rectified(name: str) -> str:
    return f'layer {{ name: "{name}/r" type: "ReLU" bottom: "{name}" top: "{name}" }}\n'


def residual(blocks: int = 6) -> str:
    """BatchNorm, Scale and ReLU in place, and sums with what came before."""
    text, last = HEAD + convolution("stem", "data") + normalised("stem"), "stem"
    for i in range(blocks):
        text += convolution(f"a{i}", last) + normalised(f"a{i}")
        text += convolution(f"b{i}", f"a{i}") + normalised(f"b{i}", relu=False)
        text += f'layer {{ name: "sum{i}" type: "Eltwise" bottom: "{last}" bottom: "b{i}" top: "sum{i}" }}'
        text += rectified(f"sum{i}")
        last = f"sum{i}"
    return text + TAIL.replace("LAST", last)


def inception(modules: int = 4) -> str:
    """Branches that are concatenated, pooling and LRN, dropout, and a second loss in the middle."""
    text, last = HEAD, "data"
    for i in range(modules):
        for branch in "pqr":
            text += convolution(f"{branch}{i}", last, 8) + rectified(f"{branch}{i}")
        text += convolution(f"t{i}", f"r{i}", 8) + rectified(f"t{i}")
        text += f'layer {{ name: "pool{i}" type: "Pooling" bottom: "{last}" top: "pool{i}" pooling_param {{ kernel_size: 3 stride: 1 pad: 1 }} }}'
        bottoms = " ".join(f'bottom: "{name}{i}"' for name in ("p", "q", "t", "pool"))
        text += f'layer {{ name: "cat{i}" type: "Concat" {bottoms} top: "cat{i}" }}'
        text += f'layer {{ name: "n{i}" type: "LRN" bottom: "cat{i}" top: "n{i}" lrn_param {{ local_size: 5 }} }}'
        text += f'layer {{ name: "d{i}" type: "Dropout" bottom: "n{i}" top: "n{i}" }}\n'
        last = f"n{i}"
        if i == 1:
            text += TAIL.replace("LAST", last).replace('"ip"', '"ip/mid"').replace('"loss"', '"loss/mid"')
    return text + TAIL.replace("LAST", last)


def separate(layers: int = 9) -> str:
    """BatchNorm, PReLU, Sigmoid and Dropout that write blobs of their own, some layers without gradients at first."""
    text = HEAD + convolution("c", "data").replace("convolution_param", "param { lr_mult: 0 } param { lr_mult: 0 } convolution_param")
    text += 'layer { name: "c/bn" type: "BatchNorm" bottom: "c" top: "b0" }'
    for i in range(layers):
        kind = ("PReLU", "BatchNorm", "Sigmoid", "Dropout")[i % 4]
        text += convolution(f"c{i}", f"b{i}") + f'layer {{ name: "l{i}" type: "{kind}" bottom: "c{i}" top: "b{i + 1}" }}\n'
    text += f'layer {{ name: "flat" type: "Flatten" bottom: "b{layers}" top: "flat" }} ' + rectified("flat")
    return text + TAIL.replace("LAST", "flat")


NETS = {"residual": residual(), "inception": inception(), "separate": separate()}
ENGINES = pytest.mark.parametrize(
    "options",
    [
        {"engine": "caffe"},
        pytest.param({"engine": "onednn"}, marks=pytest.mark.onednn),
        pytest.param({"engine": "onednn", "fuse": False}, marks=pytest.mark.onednn),
    ],
)


def make(text: str, phase: int = brew.TRAIN, **options: object) -> Net:
    net = Net(prototxt.parse(text, NetParameter), phase, seed=1, **{"keep": [], **options})  # type: ignore[arg-type]
    feed(net)
    return net


def feed(net: Net, batch: int = 4) -> None:
    random = np.random.default_rng(batch)
    net.blobs["data"].reshape(batch, 16, 6, 6)
    net.blobs["data"].data[...] = random.standard_normal(net.blobs["data"].shape)
    if "label" in net.blobs:
        net.blobs["label"].reshape(batch)
        net.blobs["label"].data[...] = random.integers(5, size=batch)


def held(net: Net) -> Arrays:
    """Gradients of the parameters, and what the parameters are, BatchNorm's averages among them."""
    blobs = [blob for blobs in net.params.values() for blob in blobs]
    return [np.array(m.host(b.shape)) for b in blobs for m in (b.diff_memory, b.data_memory)]


def gradients(net: Net) -> Arrays:
    """What is held after two passes whose gradients add up, as with iter_size; and the loss."""
    net.clear_param_diffs()
    for _ in range(2):
        net.run_forward()
        net.run_backward()
    return [*held(net), np.array(net.loss())]


def assert_equal(ours: Arrays, theirs: Arrays) -> None:
    assert len(ours) == len(theirs) and any(np.any(array) for array in ours)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("name", NETS)
@ENGINES
def test_gradients_and_statistics_are_the_same_bits(
    name: str, options: dict[str, object], poisoned: Callable[[Net], Net]
) -> None:
    plain, again = make(NETS[name], **options), make(NETS[name], recompute=True, **options)
    assert again.executor.memory.schedule.again and again.memory.arena < 0.8 * plain.memory.arena
    for batch in (4, 6, 6):
        for net in (plain, again):
            feed(net, batch)
        again.executor.settle()
        if batch != 4:
            poisoned(again)
        assert_equal(gradients(again), gradients(plain))


@pytest.mark.parametrize("name", NETS)
def test_on_every_device(name: str, device: str, poisoned: Callable[[Net], Net]) -> None:
    nets = [make(NETS[name], device=device, engine="caffe", recompute=recompute) for recompute in (False, True)]
    poisoned(nets[1])
    assert nets[1].executor.memory.schedule.again
    assert_equal(*map(gradients, nets))


def test_passes_become_lists_of_calls() -> None:
    net = make(NETS["residual"], recompute=True)
    for _ in range(2):
        net.run_forward()
        net.run_backward()
    assert net.executor._whole_backward.stands


@pytest.mark.parametrize("name", NETS)
def test_layers_computed_together_forward_run_backward_by_parts(name: str) -> None:
    nets = [make(NETS[name], recompute=recompute) for recompute in (False, True)]
    middle = len(nets[0].layers) // 2
    for net in nets:
        net.run_forward()
        net.run_backward(end=middle)
        net.run_backward(start=middle - 1)
    assert_equal(*map(held, nets))


@pytest.mark.parametrize("name", NETS)
def test_callbacks_see_every_layer_once_and_may_look_at_blobs(name: str) -> None:
    """What is looked at gets memory of its own, in the middle of backward too; it is right from the next pass on."""
    nets = [make(NETS[name], **options) for options in ({"keep": None}, {}, {"recompute": True})]  # type: ignore[arg-type]
    names = [blob for blob in nets[0].blobs if blob not in ("data", "label")][1::5]
    for net in nets:
        seen: list[int] = []
        views, looked = {}, iter(names)

        def look(number: int, net: Net = net, seen: list[int] = seen) -> None:
            seen.append(number)
            if number % 4 == 0 and (blob := next(looked, None)) is not None:
                views[blob] = net.blobs[blob].data

        net.run_forward()
        views[names[-1]] = net.blobs[names[-1]].data
        net.before_backward(look)
        net.run_backward()
        assert seen == list(reversed(range(len(net.layers)))) and len(views) > 2
        net.run_forward()
        net._around_backward.before.clear()
        net.run_backward()
    for net in nets[1:]:
        assert_equal(held(net), held(nets[0]))
        for blob in views:
            np.testing.assert_array_equal(net.blobs[blob].data, nets[0].blobs[blob].data)


def test_memory_taken_is_what_was_predicted() -> None:
    text = separate(12).replace("num_output: 16", "num_output: 128")
    make(text).run_forward()  # what is loaded once is there
    tracemalloc.start()
    net = make(text, engine="caffe", recompute=True)
    net.run_forward()
    net.run_backward()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken == pytest.approx(net.memory.total, rel=0.15)


ONCE = """
layer { name: "count" type: "Python" bottom: "LAST" top: "counted" python_param { module: "counting" layer: "Counting" } }
"""
COUNTING = """
from brew.python_layer import PythonLayer

class Counting(PythonLayer):
    calls = 0
    def setup(self, bottom, top):
        pass
    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)
    def forward(self, bottom, top):
        Counting.calls += 1
        top[0].data[...] = bottom[0].data * Counting.calls
    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = top[0].diff * 3
"""
