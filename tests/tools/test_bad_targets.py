"""Commands told to write where something else stands, as by a slip of the completion: it stays as it was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brew.data.databases.lmdb_writer import write_lmdb

Run = Callable[..., Any]


@pytest.mark.parametrize("target", ["solver.prototxt", "net.prototxt", "w.caffemodel", "w.caffemodel.h5", "thesis"])
def test_metrics_replace_nothing_else(target: str, brew_run: Run, folder: Path) -> None:
    assert brew_run("train", "--solver", "solver.prototxt", "--set", "max_iter=1").code == 0
    Path("tiny_iter_1.caffemodel").rename("w.caffemodel")
    Path("w.caffemodel.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    Path("thesis").write_text("Introduction\n")
    before = Path(target).read_bytes()
    done = brew_run("train", "--solver", "solver.prototxt", "--metrics", target)
    assert done.code == 7 and f"cannot write metrics to {target}" in done.err
    assert Path(target).read_bytes() == before


@pytest.mark.parametrize("verb", [("deploy", "net.prototxt"), ("upgrade", "net", "net.prototxt")])
def test_a_net_replaces_no_other_net_unless_told(verb: tuple[str, ...], brew_run: Run, folder: Path) -> None:
    Path("mine.prototxt").write_text('layer { name: "x" type: "Input" top: "x" }  # by hand\n')
    done = brew_run(*verb, "mine.prototxt")
    assert done.code == 7 and "mine.prototxt: it exists, and Brew did not write it" in done.err
    assert "replace it with --overwrite" in done.err
    assert "by hand" in Path("mine.prototxt").read_text()
    assert brew_run(*verb, "mine.prototxt", "--overwrite").code == 0
    assert "by hand" not in Path("mine.prototxt").read_text()
    assert brew_run(*verb, "mine.prototxt").code == 0  # its own


@pytest.mark.parametrize("verb", [("deploy", "net.prototxt"), ("upgrade", "net", "net.prototxt")])
@pytest.mark.parametrize("target", ["solver.prototxt", "w.caffemodel", "thesis", "broken.prototxt"])
def test_and_nothing_else_whatever_it_is_told(target: str, verb: tuple[str, ...], brew_run: Run, folder: Path) -> None:
    Path("w.caffemodel").write_bytes(b"\x0a\x01n\xa2\x06\x03\x0a\x01a")
    Path("thesis").write_text("Introduction\n")
    Path("broken.prototxt").write_text("layer {")
    before = Path(target).read_bytes()
    done = brew_run(*verb, target, "--overwrite")
    assert done.code == 7 and f"cannot write a net to {target}" in done.err
    assert Path(target).read_bytes() == before


def test_a_deploy_net_over_the_net_that_the_solver_names(brew_run: Run, folder: Path) -> None:
    before = Path("net.prototxt").read_bytes()
    assert brew_run("deploy", "solver.prototxt", "net.prototxt").code == 7
    assert Path("net.prototxt").read_bytes() == before


def test_data_get_replaces_databases_alone(brew_run: Run, folder: Path) -> None:
    assert brew_run("data", "get", "digits", "d").code == 0
    Path("d/solver.prototxt").write_text("mine")
    Path("d/digits_test_lmdb/notes").write_text("mine")
    done = brew_run("data", "get", "digits", "d", "--overwrite")
    assert done.code == 3 and "holds notes: it is not replaced by a database" in done.err
    Path("d/digits_test_lmdb/notes").unlink()
    done = brew_run("data", "get", "digits", "d", "--overwrite")
    assert done.code == 0 and "solver.prototxt exists and was left as it is" in done.err
    assert Path("d/solver.prototxt").read_text() == "mine"


@pytest.mark.parametrize("name", ["digits_train_lmdb", "digits_test_lmdb"])
def test_data_get_deletes_no_other_folder(name: str, brew_run: Run, folder: Path) -> None:
    write_lmdb(Path("d/digits_train_lmdb"), [(b"1", b"1")])
    for path in Path("d").glob(f"{name}/*"):
        path.unlink()
    Path("d", name).mkdir(exist_ok=True)
    Path("d", name, "thesis").write_text("mine")
    assert brew_run("data", "get", "digits", "d", "--overwrite").code == 3
    assert Path("d", name, "thesis").read_text() == "mine"


@pytest.mark.parametrize("name", ["-", "/dev/stdout"])
def test_metrics_to_stdout(name: str, folder: Path) -> None:
    command = [sys.executable, "-m", "brew", "train", "--solver", "solver.prototxt", "--metrics", name]
    done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    kinds = [json.loads(line)["kind"] for line in done.stdout.splitlines()]  # and not one line of anything else
    assert {"train", "test", "snapshot", "stop"} == set(kinds)
