"""Distances of weights and states, over formats, shapes and values that are no numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import BlobProto, NetParameter, SolverState
from brew.reports.weights_difference import BlobDifference, state_difference, weights_difference


def weights_file(path: Path, **layers: list[list[float]]) -> Path:
    net = NetParameter()
    for name, blobs in layers.items():
        layer = net.layer.add(name=name, type="InnerProduct")
        for values in blobs:
            blob = layer.blobs.add(data=values)
            blob.shape.dim.append(len(values))
    path.write_bytes(net.SerializeToString())
    return path


def one(tmp_path: Path, old: list[float], new: list[float]) -> BlobDifference:
    files = [weights_file(tmp_path / name, ip=[values]) for name, values in (("a", old), ("b", new))]
    [found] = weights_difference(*files)
    return found


def test_the_distance_of_two_blobs(tmp_path: Path):
    found = one(tmp_path, [3, 4, 0], [3, 4, -0.5])
    assert (found.largest, found.relative) == (0.5, 0.1)
    assert not found.equal() and not found.equal(0.49) and found.equal(0.5)
    same = one(tmp_path, [3, 4, 0], [3, 4, 0])
    assert same.equal() and (same.largest, same.relative) == (0, 0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number(tmp_path: Path, value: float):
    assert one(tmp_path, [1, value], [1, value]).equal()
    assert one(tmp_path, [1, value], [1, 2]).largest == np.inf
    assert one(tmp_path, [1, 2], [1, value]).largest == np.inf
    assert one(tmp_path, [0, 0], [0, 2]).relative == np.inf


def test_blobs_and_layers_on_one_side(tmp_path: Path):
    a = weights_file(tmp_path / "a", x=[[1], [2]], gone=[[1]], empty=[])
    b = weights_file(tmp_path / "b", new=[[1]], x=[[1, 1]])
    found = {(d.layer, d.index): (d.old, d.new, d.largest) for d in weights_difference(a, b)}
    assert found == {
        ("x", 0): ((1,), (2,), None), ("x", 1): ((1,), None, None),
        ("gone", 0): ((1,), None, None), ("new", 0): (None, (1,), None),
    }  # fmt: skip


def test_old_blobs_have_four_axes(tmp_path: Path):
    a = weights_file(tmp_path / "a", x=[[1, 2]])
    old = NetParameter()
    old.layer.add(name="x").blobs.add(num=1, channels=1, height=1, width=2, data=[1, 2])
    (tmp_path / "b").write_bytes(old.SerializeToString())
    assert [d.equal() for d in weights_difference(a, tmp_path / "b")] == [True]


@pytest.mark.parametrize("other", ["w.caffemodel.h5", "w.safetensors"])
def test_two_formats_of_one_net(tmp_path: Path, other: str):
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
            inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
    """
    net = Net(prototxt.parse(text, NetParameter))
    for name in ("w.caffemodel", other):
        net.save(tmp_path / name)
    found = weights_difference(tmp_path / "w.caffemodel", tmp_path / other)
    assert [(d.layer, d.index, d.equal()) for d in found] == [("ip", 0, True), ("ip", 1, True)]


def test_states(tmp_path: Path):
    paths = []
    for iteration, value in ((5, 1.0), (6, 1.25)):
        history = [BlobProto(num=1, channels=1, height=1, width=1, data=[value])]
        paths.append(tmp_path / str(iteration))
        paths[-1].write_bytes(SolverState(iter=iteration, learned_net=str(value), history=history).SerializeToString())
    numbers, blobs = state_difference(*paths)
    assert [(n.name, n.old, n.new) for n in numbers] == [("iter", "5", "6")]
    assert [(b.layer, b.index, b.largest) for b in blobs] == [("history", 0, 0.25)]
    numbers, [blob] = state_difference(paths[0], paths[0])
    assert not numbers and blob.equal()
