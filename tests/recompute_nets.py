"""Nets to recompute, and what is compared of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

import brew
from brew import prototxt
from brew.net.net import Net
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
    text += (
        f'layer {{ name: "{name}/s" type: "Scale" bottom: "{name}" top: "{name}" scale_param {{ bias_term: true }} }}'
    )
    return text + (rectified(name) if relu else "")


def rectified(name: str) -> str:
    return f'layer {{ name: "{name}/r" type: "ReLU" bottom: "{name}" top: "{name}" }}\n'


def residual(blocks: int = 4) -> str:
    """BatchNorm, Scale and ReLU in place, and sums with what came before."""
    text, last = HEAD + convolution("stem", "data") + normalised("stem"), "stem"
    for i in range(blocks):
        text += convolution(f"a{i}", last) + normalised(f"a{i}")
        text += convolution(f"b{i}", f"a{i}") + normalised(f"b{i}", relu=False)
        text += f'layer {{ name: "sum{i}" type: "Eltwise" bottom: "{last}" bottom: "b{i}" top: "sum{i}" }}'
        text += rectified(f"sum{i}")
        last = f"sum{i}"
    return text + TAIL.replace("LAST", last)


def inception(modules: int = 3) -> str:
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
    text = HEAD + convolution("c", "data").replace(
        "convolution_param", "param { lr_mult: 0 } param { lr_mult: 0 } convolution_param"
    )
    text += 'layer { name: "c/bn" type: "BatchNorm" bottom: "c" top: "b0" }'
    for i in range(layers):
        kind = ("PReLU", "BatchNorm", "Sigmoid", "Dropout")[i % 4]
        text += (
            convolution(f"c{i}", f"b{i}") + f'layer {{ name: "l{i}" type: "{kind}" bottom: "c{i}" top: "b{i + 1}" }}\n'
        )
    text += f'layer {{ name: "flat" type: "Flatten" bottom: "b{layers}" top: "flat" }} ' + rectified("flat")
    return text + TAIL.replace("LAST", "flat")


NETS = {"residual": residual(), "inception": inception(), "separate": separate()}


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
