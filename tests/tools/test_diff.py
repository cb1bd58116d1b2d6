"""`brew diff`: exit codes, lines, JSON, and what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import brew
from brew.net.net import Net

Run = Callable[..., Any]


@pytest.fixture
def trained(folder: Path) -> Path:
    """The folder with the weights and states of iterations 5 and 10, in both formats."""
    for number, form in enumerate(("BINARYPROTO", "HDF5")):
        text = (folder / "solver.prototxt").read_text() + f"snapshot_format: {form}"
        (folder / f"s{number}").write_text(text)
        solver = brew.get_solver(str(folder / f"s{number}"))
        for _ in range(2):
            solver.step(5)
            solver.snapshot()
    return folder


def test_nets(brew_run: Run, folder: Path):
    text = (folder / "net.prototxt").read_text()
    (folder / "b.prototxt").write_text(text.replace("num_output: 2 weight", "num_output: 3 weight"))
    done = brew_run("diff", "net.prototxt", "b.prototxt")
    assert done.code == 1
    assert done.out.splitlines()[:4] == [
        "--- net.prototxt",
        "+++ b.prototxt",
        "! ip (InnerProduct)  (net.prototxt:10, b.prototxt:10)",
        "  inner_product_param.num_output: 2 -> 3  (net.prototxt:11, b.prototxt:11)",
    ]
    (folder / "c.prototxt").write_text("# the same\n" + text.replace('type: "EuclideanLoss"', "type:'EuclideanLoss'"))
    same = brew_run("diff", "net.prototxt", "c.prototxt")
    assert (same.code, same.out) == (0, "")
    (folder / "d.prototxt").write_text(text + 'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }')
    assert "+ r (ReLU)  (d.prototxt:13)" in brew_run("diff", "net.prototxt", "d.prototxt").out
    facts = json.loads(brew_run("diff", "d.prototxt", "net.prototxt", "--json").out)
    assert facts["kind"] == "net" and facts["equal"] is False
    assert [(layer["name"], layer["kind"], layer["a"]) for layer in facts["layers"]] == [("r", "removed", 13)]


def test_solvers(brew_run: Run, folder: Path):
    (folder / "b").write_text((folder / "solver.prototxt").read_text().replace("gamma: 0.5", "gamma: 0.25"))
    done = brew_run("diff", "solver.prototxt", "b")
    assert done.code == 1 and "gamma: 0.5 -> 0.25  (solver.prototxt:7, b:7)" in done.out
    assert brew_run("diff", "b", "b").code == 0


def test_weights(brew_run: Run, trained: Path):
    five, ten = "tiny_iter_5.caffemodel", "tiny_iter_10.caffemodel"
    done = brew_run("diff", five, ten)
    lines = done.out.splitlines()
    assert done.code == 1 and lines[0].split() == ["layer", "blob", "shape", "largest", "relative"]
    assert lines[2].split()[:3] == ["ip", "0", "2x6"] and lines[2].endswith("differs")
    assert lines[-1] == "0 of 2 blobs are equal" and max(map(len, lines)) <= 80
    assert brew_run("diff", five, ten, "--tolerance", "10").code == 0
    across = brew_run("diff", ten, ten + ".h5", "--all")
    assert across.code == 0 and across.out.count("equal") == 3
    Net("net.prototxt", weights=ten).save("ten.safetensors")
    assert brew_run("diff", ten, "ten.safetensors").code == 0
    facts = json.loads(brew_run("diff", five, ten, "--json").out)
    assert [blob["equal"] for blob in facts["blobs"]] == [False, False] and facts["blobs"][0]["largest"] > 0


def test_states(brew_run: Run, trained: Path):
    five, ten = "tiny_iter_5.solverstate", "tiny_iter_10.solverstate"
    done = brew_run("diff", five, ten)
    assert done.code == 1 and "iter: 5 -> 10" in done.out and "history" in done.out
    assert brew_run("diff", ten, ten + ".h5").code == 0


def test_what_cannot_be_compared(brew_run: Run, trained: Path):
    mixed = brew_run("diff", "net.prototxt", "tiny_iter_5.caffemodel")
    assert mixed.code == 2 and "net.prototxt is a net, tiny_iter_5.caffemodel is a weights file" in mixed.err
    assert brew_run("diff", "tiny_iter_5.solverstate.h5", "tiny_iter_5.caffemodel.h5").code == 2
    assert brew_run("diff", "net.prototxt", "none").code == 3
    Net("net.prototxt").save("other.caffemodel")
    (trained / "cut.caffemodel").write_bytes((trained / "other.caffemodel").read_bytes()[:-3])
    assert brew_run("diff", "other.caffemodel", "cut.caffemodel").code == 3
