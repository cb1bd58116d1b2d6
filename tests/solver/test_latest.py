"""The newest snapshot that is whole is found, and of the others it is said what they lack."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from brew import prototxt
from brew.errors import WeightsError
from brew.files import atomic
from brew.proto.brew_pb2 import ResumeState, SolverParameter
from brew.solver.snapshots import latest, snapshot
from brew.solver.solver import Solver
from brew.solver.update.average import WeightAverage

CAFFE = Path(__file__).parents[1] / "fixtures" / "conformance" / "solvers" / "sgd_plain"
SOLVER = """
net_param {{
  layer {{ name: "x" type: "DummyData" top: "x" dummy_data_param {{ shape {{ dim: 2 dim: 3 }} data_filler {{ type: "gaussian" }} }} }}
  layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ num_output: 4 weight_filler {{ type: "xavier" }} }} }}
  layer {{ name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }}
}}
base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" max_iter: 100 snapshot: 2 snapshot_prefix: "{folder}/run[1]"
snapshot_format: {kind} snapshot_after_train: false
"""


def trained(folder: Path, iterations: int, kind: str = "BINARYPROTO") -> Solver:
    solver = Solver(prototxt.parse(SOLVER.format(folder=folder, kind=kind), SolverParameter))
    solver.step(iterations)
    return solver


@pytest.fixture(params=["BINARYPROTO", "HDF5"])
def ending(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A folder with the snapshots of iterations 2 to 12 of `run[1]`; the ending of their names."""
    trained(tmp_path, 12, request.param)
    return ".h5" if request.param == "HDF5" else ""


def test_the_highest_iteration_is_the_newest(tmp_path: Path, ending: str):
    newest = latest.newest(tmp_path / "run[1]")
    assert newest.found and newest.skipped == ()
    assert newest.found.iteration == 12  # not 8, the last by name
    assert newest.found.state == tmp_path / f"run[1]_iter_12.solverstate{ending}"
    assert newest.found.weights == tmp_path / f"run[1]_iter_12.caffemodel{ending}"


def test_what_is_not_whole_is_passed_by_and_said(tmp_path: Path, ending: str):
    def file(iteration: int, kind: str) -> Path:
        return tmp_path / f"run[1]_iter_{iteration}.{kind}{ending}"

    file(12, "caffemodel").unlink()
    shutil.copy(file(2, "caffemodel"), file(10, "caffemodel"))
    os.truncate(file(8, "solverstate"), 40)
    file(6, "solverstate").write_bytes(b"")
    file(4, "solverstate").unlink()
    newest = latest.newest(tmp_path / "run[1]")
    assert newest.found and newest.found.iteration == 2
    assert [latest.iteration_of(s.state) for s in newest.skipped] == [12, 10, 8, 6]
    reasons = [s.reason for s in newest.skipped]
    assert not any(s.reason.startswith(str(s.state)) for s in newest.skipped)  # the log line names the file
    assert reasons[0].startswith("its weights") and "are gone" in reasons[0]
    assert "not the file that was written with" in reasons[1]
    assert "damaged" in reasons[2] or "HDF5" in reasons[2]
    assert "empty" in reasons[3]


def test_other_prefixes_and_folders_have_nothing(tmp_path: Path, ending: str):
    for prefix in (tmp_path / "run", tmp_path / "run1", tmp_path / "nowhere" / "run[1]"):
        assert latest.newest(prefix) == latest.Newest(None, ())


def test_a_snapshot_of_caffe_is_whole_when_both_files_read(tmp_path: Path):
    for name in ("out_iter_12.solverstate", "out_iter_12.caffemodel"):
        shutil.copy(CAFFE / name, tmp_path)
    found = latest.newest(tmp_path / "out").found
    assert found and found.iteration == 12 and found.weights == tmp_path / "out_iter_12.caffemodel"
    os.truncate(found.weights, found.weights.stat().st_size - 1)
    newest = latest.newest(tmp_path / "out")
    assert newest.found is None and len(newest.skipped) == 1


def test_the_moving_average_is_part_of_the_snapshot(tmp_path: Path):
    solver = trained(tmp_path, 2)
    average = WeightAverage(solver.net.parameters, 0.9)
    solver.net.params["ip"][0].data[...] += 1
    own = solver.net.params["ip"][0].data.copy()
    history = [h for h in solver.update.history]
    files = snapshot.write(solver.net, solver.param, 3, history, 0, ResumeState(), average)
    assert (solver.net.params["ip"][0].data == own).all()
    found = latest.check(files.state)
    assert snapshot.average_of(found.stored, files.state) == files.average
    solver.net.copy_from(files.average)
    assert abs(solver.net.params["ip"][0].data - (own - 1)).max() < 1e-6
    shutil.copy(files.weights, files.average)
    with pytest.raises(WeightsError, match="not the file that was written with"):
        latest.check(files.state)


def test_a_crash_between_the_renames_is_repaired(tmp_path: Path):
    solver = trained(tmp_path, 2)
    old, new = tmp_path / "old", tmp_path / "new"
    files = snapshot.paths(solver.param.snapshot_prefix, 2, solver.param.snapshot_format)
    shutil.copytree(tmp_path, old)
    solver.net.params["ip"][0].data[...] += 1
    solver.snapshot()
    shutil.copytree(tmp_path, new, ignore=shutil.ignore_patterns("old"))
    for state, belongs in ((new, new), (old, old)):
        shutil.copy(new / files.weights.name, files.weights)
        shutil.copy(old / files.weights.name, atomic.old_name(files.weights))
        shutil.copy(state / files.state.name, files.state)
        right = latest.check(files.state).weights
        assert right.read_bytes() == (belongs / files.weights.name).read_bytes()
        snapshot.repair(files)
        assert not atomic.old_name(files.weights).exists()
        assert files.weights.read_bytes() == (belongs / files.weights.name).read_bytes()
