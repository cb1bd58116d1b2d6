"""Upgraded nets know where their fields stand in the old text."""

from __future__ import annotations

from pathlib import Path

import pytest

import brew
from brew import prototxt
from brew.errors import BrewError
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt.upgrade import upgrade_net

TEXTS = Path(__file__).parent / "upgrade"  # one net in each format, and LeNet in that of 2014
V0 = (TEXTS / "v0.prototxt").read_text()
V1 = (TEXTS / "v1.prototxt").read_text()


def document(text: str) -> prototxt.Document[NetParameter]:
    return prototxt.parse(text, NetParameter, "net.prototxt")


@pytest.mark.parametrize(
    ("text", "path", "stands"),
    [
        (V0, ("convolution_param", "kernel_size", 0), "kernelsize"),
        (V0, ("convolution_param", "pad"), "pad: 2"),
        (V0, ("convolution_param", "weight_filler", "type"), 'type: "xavier"'),
        (V0, ("param", 1, "lr_mult"), "blobs_lr: 2"),
        (V0, ("name",), 'name: "conv1"'),
        (V0, ("type",), 'type: "conv"'),
        (V0, ("bottom", 0), 'bottom: "data"'),
        (V0, ("top", 0), 'top: "conv1"'),
        (V0, (), "layers {\n"),
        (V0, ("transform_param", "scale"), "layers {\n"),
        (V1, ("convolution_param", "kernel_size", 0), "kernel_size"),
        (V1, ("param", 1), "blobs_lr: 2"),
        (V1, ("param", 1, "decay_mult"), "weight_decay: 0"),
        (V1, ("bottom", 0), 'bottom: "data"'),
        (V1, (), "layers {\n"),
    ],
)
def test_places_are_those_of_the_old_text(text: str, path: tuple[str | int, ...], stands: str):
    given = document(text)
    source = upgrade_net(given.message, given).layers[1]
    place = source.place(*path)
    assert place is not None
    line = text.splitlines(keepends=True)[place.line - 1]
    assert line[place.column - 1 :].startswith(stands)


def test_places_of_inputs_and_moved_fields():
    given = document("""input: "a" input: "b"
input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4
input_dim: 5 input_dim: 6 input_dim: 7 input_dim: 8
layers { type: DATA
  data_param { scale: 2 } }""")
    first, data = upgrade_net(given.message, given).layers
    spots = [
        first.place("top", 1),
        first.place("input_param", "shape", 1, "dim", 2),
        first.place(),
        first.place("name"),
    ]
    assert [str(p) for p in spots] == [f"net.prototxt:{p}" for p in ("1:12", "3:27", "1:1", "1:1")]
    assert str(data.place("transform_param", "scale")) == "net.prototxt:5:16"


def test_errors_of_old_nets_point_at_their_text():
    with pytest.raises(BrewError, match=r"^net.prototxt:9:5: layer \"conv1\""):
        Net(document(V1.replace("    kernel_size: 3", "    kernel_size: 3 kernel_size: 3 kernel_size: 3")), brew.TEST)
    with pytest.raises(BrewError, match=r'^net.prototxt:14:86: layer "norm1" .*no layer above makes its bottom "conv"'):
        Net(document(V0.replace('bottom: "conv1" top: "norm1"', 'bottom: "conv" top: "norm1"')), brew.TEST)
