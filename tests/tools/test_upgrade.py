"""`brew upgrade`: text, weights and solvers; what it says and leaves where it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brew import prototxt
from brew.proto.brew_pb2 import NetParameter, SolverParameter

TEXTS = Path(__file__).parents[1] / "prototxt" / "upgrade"  # one net in each format
V0 = (TEXTS / "v0.prototxt").read_text()
V1 = (TEXTS / "v1.prototxt").read_text()
TODAY = (TEXTS / "today.prototxt").read_text()
Run = Callable[..., Any]


def message(text: str) -> NetParameter:
    return prototxt.parse(text, NetParameter).message


@pytest.mark.parametrize("verb", [("upgrade", "net"), ("upgrade_net_proto_text",)])
def test_text_stays_text(verb: tuple[str, ...], brew_run: Run, folder: Path):
    (folder / "old").write_text(V0)
    done = brew_run(*verb, "old", "new")
    assert done.code == 0 and "old: upgraded from the format of 2013 (V0)" in done.err
    written = (folder / "new").read_text()
    assert message(written) == message(TODAY)
    again = brew_run(*verb, "new", "new")
    assert again.code == 0 and "new: nothing to upgrade" in again.err
    assert (folder / "new").read_text() == written


@pytest.mark.parametrize("verb", [("upgrade", "net"), ("upgrade_net_proto_binary",)])
def test_weights_stay_binary(verb: tuple[str, ...], brew_run: Run, folder: Path):
    given, wanted = message(V1), message(TODAY)
    for layer in (given.layers[0], wanted.layer[1]):
        layer.blobs.add(num=1, channels=1, height=1, width=2, data=[0.25, -3])
    (folder / "old").write_bytes(given.SerializeToString())
    assert brew_run(*verb, "old", "new").code == 0
    assert NetParameter.FromString((folder / "new").read_bytes()) == wanted


@pytest.mark.parametrize("verb", [("upgrade", "solver"), ("upgrade_solver_proto_text",)])
@pytest.mark.parametrize("binary", [False, True])
def test_solvers_and_the_nets_inside_them(verb: tuple[str, ...], binary: bool, brew_run: Run, folder: Path):
    text = f"solver_type: ADAGRAD base_lr: 0.1 net_param {{ {V0} }}"
    given = prototxt.parse(text, SolverParameter).message
    (folder / "old").write_bytes(given.SerializeToString() if binary else text.encode())
    assert brew_run(*verb, "old", "new").code == 0
    wanted = SolverParameter(type="AdaGrad", base_lr=0.1, net_param=message(TODAY))
    raw = (folder / "new").read_bytes()
    assert (SolverParameter.FromString(raw) if binary else prototxt.read("new", SolverParameter).message) == wanted


def test_a_field_without_a_place_is_exit_1(brew_run: Run, folder: Path):
    (folder / "old").write_text('layers { layer { name: "r" type: "relu" k: 3 } }')
    done = brew_run("upgrade", "net", "old", "new")
    assert done.code == 1 and "k does not belong to this type" in done.err
    assert prototxt.read("new", NetParameter).message == message('layer { name: "r" type: "ReLU" }')


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (b'layer { } layers { name: "a" }', "stands beside"),
        (message(V1).SerializeToString()[:100] + b"\0", "neither prototxt nor a binary NetParameter"),
        (b"\x89HDF\r\n\x1a\n", "this is an HDF5 file"),
        (b"layers { nam: 1 }", 'no field "nam"'),
    ],
)
def test_what_cannot_be_read_leaves_out_as_it_was(contents: bytes, says: str, brew_run: Run, folder: Path):
    (folder / "old").write_bytes(contents)
    (folder / "new").write_text("mine")
    done = brew_run("upgrade", "net", "old", "new")
    assert done.code == 3 and says in done.err
    assert (folder / "new").read_text() == "mine"


def test_a_missing_file_and_a_missing_folder(brew_run: Run, folder: Path):
    assert brew_run("upgrade", "net", "none", "new").code == 3
    assert brew_run("upgrade", "net", "net.prototxt", "none/new").code == 7


def test_the_number_that_forks_have_for_ceil_mode_is_warned_of(brew_run: Run, folder: Path):
    text = 'layer { name: "p" type: "Pooling" bottom: "d" top: "p" pooling_param { kernel_size: 3 %s } }'
    (folder / "old").write_bytes(message(text % "round_mode: FLOOR").SerializeToString())
    done = brew_run("upgrade", "net", "old", "new")
    assert done.code == 0 and "old: field 13 of pooling_param is read as Caffe's round_mode; in some forks" in done.err
    (folder / "old").write_bytes(message(text % "").SerializeToString())
    assert "field 13" not in brew_run("upgrade", "net", "old", "new", "--overwrite").err
    (folder / "old").write_text(text % "ceil_mode: false")
    done = brew_run("upgrade", "net", "old", "text")
    assert "field 13" not in done.err and "round_mode: FLOOR" in (folder / "text").read_text()


@pytest.mark.parametrize("solver", [False, True])
def test_every_input_becomes_a_layer(solver: bool, brew_run: Run, folder: Path):
    net = """input: "data" input: "info" input_dim: [1, 3, 8, 8] input_dim: [1, 2, 1, 1]
    layer { name: "c" type: "Flatten" bottom: "data" top: "c" }"""
    (folder / "old").write_text(f"net_param {{ {net} }} test_net_param {{ {net} }}" if solver else net)
    assert brew_run("upgrade", "solver" if solver else "net", "old", "new").code == 0
    read = prototxt.read("new", SolverParameter if solver else NetParameter).message
    for new in [read.net_param, read.test_net_param[0]] if solver else [read]:
        assert [(x.name, x.type, list(x.top)) for x in new.layer] == [
            ("data", "Input", ["data"]), ("info", "Input", ["info"]), ("c", "Flatten", ["c"])
        ]  # fmt: skip
        assert list(new.layer[1].input_param.shape[0].dim) == [1, 2, 1, 1]
