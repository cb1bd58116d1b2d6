"""Blobs of sizes beyond any memory: every layer type looks at them, or refuses them, and no process dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from brew.errors import BrewError
from brew.layer import sizes
from brew.memory.blob import Blob
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt import parse

ROOT = Path(__file__).resolve().parents[2]
LARGEST = (1 << 31) - 1

# In a process of its own, for what divides by zero ends it, with 4 GiB of addresses, so that nothing that big is made.
LOOK = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
from brew.reports import catalogue
from brew import prototxt
from brew.errors import BrewError
from brew.layer import TRAIN
from brew.graph.definition import define
from brew.proto.brew_pb2 import NetParameter
from brew.layer.registry import layer_type_list
from brew.reports.summary import summarise
largest = (1 << 31) - 1
shapes = [(largest, 1, 1, 1), (1, largest, 1, 1), (1, 1, largest, 1), (1 << 29, 1 << 30, 1, 1), (1 << 30, 3, 7, 9)]
files = {"Data", "ImageData", "HDF5Data", "WindowData", "MemoryData", "Python", "HDF5Output"}
like = {"Eltwise", "Concat", "EuclideanLoss", "SigmoidCrossEntropyLoss"}
looked = 0
for name in sorted(set(layer_type_list()) - files):
    example = catalogue.entry(name).example
    bottoms = prototxt.parse(example, NetParameter).message.layer[0].bottom
    for number, shape in enumerate(shapes):
        given = [shape if i == 0 or name in like else shape[:1] for i in range(len(bottoms))]
        text = "force_backward: true" if number % 2 else ""
        for top, dims in zip(bottoms, given):
            dims = " ".join(f"dim: {n}" for n in dims)
            text += f'\\nlayer {{ name: "in_{top}" type: "Input" top: "{top}" input_param {{ shape {{ {dims} }} }} }}'
        print(name, shape, flush=True)
        try:
            summarise(define(prototxt.parse(text + example, NetParameter)), TRAIN)
            looked += 1
        except BrewError:
            pass
print("looked at", looked)
"""


def test_no_type_dies_of_what_it_is_shown() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, timeout=300)
    *_, last = done.stdout.splitlines()
    assert done.returncode == 0, (last, done.stderr[-2000:])
    assert int(last.removeprefix("looked at ")) > 100


@pytest.mark.parametrize("shape", [(1 << 31,), (LARGEST, LARGEST, 2), (1,) * 33, (3, -1), (1 << 70,)])
def test_reshape_from_python(shape: tuple[int, ...]) -> None:
    blob = Blob((2, 3))
    with pytest.raises(ValueError, match="blob shape"):
        blob.reshape(*shape)
    assert blob.shape == (2, 3) and blob.data.shape == (2, 3)
    net = Net(parse('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }', NetParameter))
    with pytest.raises(ValueError, match="blob shape"):
        net.blobs["x"].reshape(*shape)
    net.forward()


def test_what_a_reshape_makes_of_the_layers_behind() -> None:
    """The input is possible, and the top of the layer behind it is not."""
    text = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 1 } } }
              layer { name: "t" type: "Tile" bottom: "x" top: "y" tile_param { axis: 1 tiles: 70000 } }"""
    net = Net(parse(text, NetParameter))
    net.forward()
    net.blobs["x"].reshape(1, 1 << 20, 0)
    with pytest.raises(BrewError, match=r'layer "t" \(Tile\): top 0 .* an axis of 73400320000'):
        net.reshape()
    net.blobs["x"].reshape(1, 2, 1)
    net.forward()
    assert net.blobs["y"].data.shape == (1, 140_000, 1)


def test_the_rule() -> None:
    assert sizes.fault(()) is None and sizes.fault((0,)) is None and sizes.fault((LARGEST, 1 << 29)) is None
    assert sizes.fault((LARGEST, 1 << 30)) is not None
    assert np.iinfo(np.int64).max // 8 == sizes.MOST_ELEMENTS
