"""What exists and is of another kind is never replaced: every writer against every kind of file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from brew import prototxt
from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.hdf5 import writer as hdf5_writer
from brew.errors import BrewError, ResourceError
from brew.files import overwriting
from brew.files.appended import AppendedFile
from brew.files.overwriting import Kind
from brew.files.weights import reading
from brew.graph.rewriting.upgrade_files import upgrade_net_file, upgrade_solver_file
from brew.net.net import Net
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.metrics import Metrics
from brew.solver.snapshots import snapshot
from brew.solver.solver import Solver
from brew.solver.tensorboard import TensorBoard

NET = """name: "n" layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 4 } }
layer { name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }
"""
SOLVER = f"net_param {{ {NET} }} base_lr: 0.1 lr_policy: 'fixed' max_iter: 2 snapshot_prefix: '%s' %s"


def solver(folder: Path, more: str = "") -> Solver:
    return Solver(prototxt.parse(SOLVER % (folder / "s", more), SolverParameter))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of every kind, by kind."""
    folder = tmp_path_factory.mktemp("kinds")
    running = solver(folder)
    running.step(1)
    binary = running.snapshot()
    running.param.snapshot_format = SolverParameter.HDF5
    hdf5 = running.snapshot()
    running.net.save(folder / "w.safetensors")
    made = {
        "weights": binary.weights, "state": binary.state, "HDF5 weights": hdf5.weights, "HDF5 state": hdf5.state,
        "safetensors": folder / "w.safetensors",
    }  # fmt: skip
    for kind, contents in {
        "net": NET.encode(), "solver": b"base_lr: 0.1", "text": b"dear diary\n", "script": b"#!/bin/sh\nexit\n",
        "metrics": b'{"time": 1, "iteration": 1, "kind": "stop"}\n', "PNG": b"\x89PNG\r\n\x1a\n" + bytes(50),
        "ELF": b"\x7fELF\x02\x01\x01" + bytes(100), "zeros": bytes(100), "JSON": b'{"iteration": "one"}\n',
        "mean": b"\x08\x01\x10\x03\x18\x01\x20\x01\x2a\x04\0\0\0\0", "no UTF-8": b"\n\xe9t\xe9 1999\n",
    }.items():  # fmt: skip
        made[kind] = folder / kind
        made[kind].write_bytes(contents)
    made["data"] = folder / "data.h5"
    with h5py.File(made["data"], "w") as file:
        file["data"], file["label"] = np.zeros((2, 3)), np.zeros(2)
    return made


def into(kind: str) -> Callable[[Path], Any]:
    """What writes a file of `kind` to a path."""
    net = Net(prototxt.parse(NET, prototxt_of(NET)), 0)
    folder = Path("from")
    folder.mkdir()
    (folder / "net").write_text(NET)
    (folder / "solver").write_text("solver_type: ADAM")
    return {
        "weights": lambda path: net.save(path),
        "metrics": Metrics,
        "net": lambda path: upgrade_net_file("from/net", str(path), overwrite=True),
        "solver": lambda path: upgrade_solver_file("from/solver", str(path), overwrite=True),
        "batch": lambda path: hdf5_writer.write_datasets(path, {"data": np.zeros(2)}),
        "TensorBoard": TensorBoard,
        "LMDB": lambda path: write_lmdb(path, [(b"1", b"1")], overwrite=True),
    }[kind]


def prototxt_of(_: str) -> Any:
    from brew.proto.brew_pb2 import NetParameter

    return NetParameter


REPLACES = {
    "weights": {"weights", "HDF5 weights", "safetensors"}, "metrics": {"metrics"}, "net": {"net"},
    "solver": {"solver"}, "batch": set(), "TensorBoard": set(), "LMDB": set(),
}  # fmt: skip


@pytest.mark.parametrize("writer", REPLACES)
def test_nothing_of_another_kind_is_replaced(
    writer: str, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write = into(writer)
    for kind, original in files.items():
        target = tmp_path / original.name
        target.write_bytes(original.read_bytes())
        if kind in REPLACES[writer]:
            write(target)
            continue
        with pytest.raises(BrewError) as refused:
            write(target)
        assert str(target) in str(refused.value), kind
        assert target.read_bytes() == original.read_bytes(), kind
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("writer", ["weights", "metrics", "net", "batch"])
def test_nor_folders_and_what_has_no_end(writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write = into(writer)
    Path("folder").mkdir()
    os.mkfifo("pipe")
    Path("null").symlink_to("/dev/null")
    for name in ("folder", "pipe", "null"):
        with pytest.raises(ResourceError, match="cannot write"):
            write(Path(name))
    assert Path("null").is_symlink() and Path("folder").is_dir()


@pytest.mark.parametrize("writer", ["weights", "metrics", "net", "batch"])
def test_empty_files_and_links_to_nothing_are(writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write = into(writer)
    Path("empty").touch()
    Path("nowhere").symlink_to("gone")
    write(Path("empty"))
    write(Path("nowhere"))
    assert Path("nowhere").is_file()


@pytest.mark.parametrize("ending", ["caffemodel", "solverstate", "caffemodel.old"])
@pytest.mark.parametrize("kind", ["BINARYPROTO", "HDF5"])
def test_a_training_asks_before_it_begins(ending: str, kind: str, tmp_path: Path) -> None:
    diary = tmp_path / f"s_iter_2.{ending}"
    if kind == "HDF5":
        diary = tmp_path / (f"s_iter_2.{ending}.h5" if ".old" not in ending else "s_iter_2.caffemodel.h5.old")
    diary.write_text("dear diary")
    if ".old" not in ending:
        with pytest.raises(ResourceError, match="it is a text file, which is not replaced"):
            solver(tmp_path, f"snapshot_format: {kind}")
    else:
        running = solver(tmp_path, f"snapshot_format: {kind}")
        with pytest.raises(ResourceError, match="it is a text file, which is not replaced"):
            running.solve()
    assert diary.read_text() == "dear diary"


def test_a_snapshot_of_the_same_name_is_replaced(tmp_path: Path) -> None:
    for number in range(2):
        running = solver(tmp_path, f"random_seed: {number + 1}")
        running.solve()
        running.close()
        state = snapshot.read_state(tmp_path / "s_iter_2.solverstate")
        assert snapshot.weights_of(state, tmp_path / "s_iter_2.solverstate") is not None


def test_a_truncated_file_of_the_kind_is_replaced(files: dict[str, Path], tmp_path: Path) -> None:
    """What Caffe leaves where it was killed while writing."""
    target = tmp_path / "w.caffemodel"
    target.write_bytes(files["weights"].read_bytes()[:-20])
    overwriting.check(target, reading.WEIGHTS_KIND)
    target.write_bytes(files["state"].read_bytes()[:-20])
    overwriting.check(target, snapshot.STATE)


def test_a_batch_replaces_the_batch_before_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    for _ in range(2):
        hdf5_writer.write_datasets(path, {"data": np.zeros(2)})
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["data"] = np.zeros(2)
    with pytest.raises(ResourceError, match=r"y\.h5: it exists, and Brew did not write it .*or remove it first"):
        hdf5_writer.write_datasets(tmp_path / "y.h5", {"data": np.zeros(2)})


def test_what_was_written_by_hand_waits_for_the_order(tmp_path: Path) -> None:
    mine = Kind("a poem", lambda path: True, lambda path: path.read_text() == "ours")
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ResourceError, match=r"cannot write a poem to .*replace it with --overwrite"):
        overwriting.check(tmp_path / "x", mine, overwrite=False)
    overwriting.check(tmp_path / "x", mine, overwrite=True)
    (tmp_path / "x").write_text("ours")
    overwriting.check(tmp_path / "x", mine)


def test_files_that_grow_are_regular(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(ResourceError, match="FIFO"):
        AppendedFile(tmp_path / "x")


def test_a_database_is_replaced_and_no_other_folder(tmp_path: Path) -> None:
    database = tmp_path / "db"
    write_lmdb(database, [(b"1", b"1")])
    (database / "lock.mdb").touch()
    write_lmdb(database, [(b"1", b"2")], overwrite=True)
    (database / "thesis.tex").write_text("years of work")
    with pytest.raises(BrewError, match=r"holds thesis\.tex: it is not replaced by a database"):
        write_lmdb(database, [(b"1", b"3")], overwrite=True)
    assert (database / "thesis.tex").read_text() == "years of work"
    other = tmp_path / "other"
    other.mkdir()
    (other / "lock.mdb").touch()
    with pytest.raises(BrewError, match=r"holds lock\.mdb: it is not replaced"):
        write_lmdb(other, [(b"1", b"3")], overwrite=True)
