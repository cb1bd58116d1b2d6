"""`brew deploy`: the file it writes, what it says, what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from brew import prototxt
from brew.proto.brew_pb2 import NetParameter

Run = Callable[..., Any]


def test_from_a_solver(brew_run: Run, folder: Path):
    done = brew_run("deploy", "solver.prototxt", "deploy.prototxt")
    assert done.code == 0, done.err
    assert done.out == "deploy.prototxt takes data (1 x 6)\ndeploy.prototxt gives ip (1 x 2)\n"
    net = prototxt.read("deploy.prototxt", NetParameter).message
    assert [(layer.name, layer.type) for layer in net.layer] == [("data", "Input"), ("ip", "InnerProduct")]
    shown = brew_run("deploy", "net.prototxt", "-", "--batch", "3")
    assert "dim: 3" in shown.out and shown.out.startswith("# Made by Brew from net.prototxt")


def test_what_was_assumed_is_said(brew_run: Run, folder: Path):
    data = 'layer { name: "d" type: "Data" top: "data" top: "target" data_param { source: "no" batch_size: 4 } '
    rest = (folder / "net.prototxt").read_text().split("}\n}\n", 1)[1]
    (folder / "net.prototxt").write_text(data + "transform_param { crop_size: 5 } }" + rest)
    done = brew_run("deploy", "net.prototxt", "out")
    assert done.code == 0 and "takes data (1 x 3 x 5 x 5)" in done.out
    assert 'assumed: layer "d" brings images of 3 x 5 x 5' in done.err
    given = brew_run("deploy", "net.prototxt", "out", "--shape", "data:2x1x5x5")
    assert "takes data (2 x 1 x 5 x 5)" in given.out and "assumed" not in given.err


def test_the_source_is_not_overwritten(brew_run: Run, folder: Path):
    before = (folder / "net.prototxt").read_text()
    done = brew_run("deploy", "net.prototxt", "./net.prototxt")
    assert done.code == 2 and "would be overwritten" in done.err
    assert (folder / "net.prototxt").read_text() == before
    assert brew_run("deploy", "none", "out").code == 3
    assert brew_run("deploy", "net.prototxt", "none/out").code == 7


def test_a_net_that_ends_in_place_and_inputs_as_fields(brew_run: Run, folder: Path):
    with (folder / "net.prototxt").open("a") as file:
        file.write('layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }')
    done = brew_run("deploy", "net.prototxt", "out", "--input-fields")
    assert done.out == "out takes data (1 x 6)\nout gives ip (1 x 2)\n"
    net = prototxt.read("out", NetParameter).message
    assert list(net.input) == ["data"] and list(net.input_shape[0].dim) == [1, 6]
    assert [layer.type for layer in net.layer] == ["InnerProduct", "ReLU"]
