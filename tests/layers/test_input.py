from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Context
from brew.layer.registry import layer_class
from brew.net.net import Net
from brew.proto.brew_pb2 import LayerParameter, NetParameter
from brew.prototxt import parse


def make(fields, tops):
    names = " ".join(f'top: "t{i}"' for i in range(tops))
    text = f'name: "i" type: "Input" {names} input_param {{ {fields} }}'
    return layer_class("Input")(parse(text, LayerParameter).message, Context())


@pytest.mark.parametrize(
    ("fields", "tops", "shapes"),
    [
        ("shape { dim: 2 dim: 3 }", 2, [(2, 3), (2, 3)]),
        ("shape { dim: 2 } shape { dim: 3 dim: 4 }", 2, [(2,), (3, 4)]),
        ("shape { }", 1, [()]),
        ("", 2, [(0,), (0,)]),
    ],
)
def test_shapes(fields, tops, shapes):
    assert make(fields, tops).infer_shapes([]) == shapes


@pytest.mark.parametrize(
    ("fields", "what"),
    [("shape { } shape { }", "2 shapes for 3 tops"), ("shape { dim: 2 dim: -1 }", "negative size")],
)
def test_wrong_shapes(fields, what):
    with pytest.raises(NetError, match=what):
        make(fields, 3)


def test_content_stays_from_pass_to_pass(device):
    text = """layer { name: "i" type: "Input" top: "x" input_param { shape { dim: 2 dim: 2 } } }
              layer { name: "r" type: "ReLU" bottom: "x" top: "y" }"""
    net = Net(parse(text, NetParameter).message, device=device)
    net.blobs["x"].data[...] = [[1, -2], [3, -4]]
    for _ in range(2):
        net.forward()
        assert net.blobs["x"].data.tolist() == [[1, -2], [3, -4]]
        assert net.blobs["y"].data.tolist() == [[1, 0], [3, 0]]
    assert net.blobs["x"].data.dtype == np.float32
