"""`keep`: what goes, what stays, and that nothing goes before the new snapshot is known to be good."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import brew
from brew import prototxt
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.snapshots import latest, retention
from brew.solver.solver import Solver

CAFFE = Path(__file__).parents[1] / "fixtures" / "conformance" / "solvers" / "sgd_plain"
SOLVER = """
net_param {{
  layer {{ name: "x" type: "DummyData" top: "x" dummy_data_param {{ shape {{ dim: 2 dim: 3 }} }} }}
  layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ num_output: 4 }} }}
  layer {{ name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }}
}}
base_lr: 0.1 lr_policy: "fixed" max_iter: 100 snapshot_prefix: "{prefix}" snapshot_format: {kind}
snapshot_after_train: false
"""


class Run:
    """A training that takes snapshots where it is told."""

    def __init__(self, prefix: Path, seed: int = 1, kind: str = "BINARYPROTO") -> None:
        brew.set_random_seed(seed)
        self.prefix = prefix
        self.solver = Solver(prototxt.parse(SOLVER.format(prefix=prefix, kind=kind), SolverParameter))
        brew.set_random_seed(-1)

    def snapshots(self, *iterations: int) -> Path:
        for iteration in iterations:
            self.solver.iter = iteration
            state = self.solver.snapshot().state
        return state

    def left(self) -> list[int]:
        return [latest.iteration_of(state) for state in latest.state_files(self.prefix)]


@pytest.mark.parametrize("kind", ["BINARYPROTO", "HDF5"])
def test_the_newest_stay(tmp_path: Path, kind: str):
    run = Run(tmp_path / "run", kind=kind)
    newest = run.snapshots(2, 4, 8, 10)
    (tmp_path / "run_best.caffemodel").touch()
    gone = retention.prune(run.prefix, 2, newest)
    assert run.left() == [10, 8]
    assert [latest.iteration_of(state) for state in gone] == [4, 2]
    assert len(list(tmp_path.iterdir())) == 5  # two pairs and the best


def test_zero_keeps_all(tmp_path: Path):
    run = Run(tmp_path / "run")
    assert retention.prune(run.prefix, 0, run.snapshots(2, 4)) == []
    assert run.left() == [4, 2]


def test_nothing_goes_while_the_new_one_is_not_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    run = Run(tmp_path / "run")
    newest = run.snapshots(2, 4, 6)
    with (tmp_path / "run_iter_6.caffemodel").open("rb+") as file:
        file.seek(30)
        file.write(b"\xff\xff")
    assert retention.prune(run.prefix, 1, newest) == []
    assert run.left() == [6, 4, 2]
    assert "no older snapshot is deleted" in caplog.text


def test_what_others_wrote_stays(tmp_path: Path):
    Run(tmp_path / "run", seed=7).snapshots(1, 3)
    Run(tmp_path / "run_more").snapshots(1, 2)
    for name in ("solverstate", "caffemodel"):
        shutil.copy(CAFFE / f"out_iter_12.{name}", tmp_path / f"run_iter_4.{name}")
    run = Run(tmp_path / "run")
    run.snapshots(30)  # of a run that went further
    (tmp_path / "run_iter_5.solverstate").write_bytes(b"no state")
    newest = run.snapshots(10, 11, 12)
    retention.prune(run.prefix, 1, newest)
    assert run.left() == [30, 12, 5, 4, 3, 1]
    assert len(latest.state_files(tmp_path / "run_more")) == 2


def test_a_resumed_run_goes_on_where_its_predecessor_stopped(tmp_path: Path):
    first = Run(tmp_path / "run")
    state = first.snapshots(2, 4)
    second = Run(tmp_path / "run", seed=2)
    second.solver.restore(state)
    retention.prune(second.prefix, 2, second.snapshots(6))
    assert second.left() == [6, 4]


def test_an_incomplete_one_is_none_of_those_that_stay(tmp_path: Path):
    run = Run(tmp_path / "run")
    newest = run.snapshots(2, 4, 6)
    (tmp_path / "run_iter_4.caffemodel").unlink()
    retention.prune(run.prefix, 2, newest)
    assert run.left() == [6, 2]


@pytest.mark.parametrize("again", [False, True])
def test_what_a_crash_left_half_deleted_is_deleted(tmp_path: Path, again: bool):
    run = Run(tmp_path / "run")
    state = run.snapshots(2, 4)
    state.rename(tmp_path / f"{state.name}.old")
    newest = run.snapshots(4, 6) if again else run.snapshots(6)
    retention.prune(run.prefix, 9, newest)
    assert run.left() == ([6, 4, 2] if again else [6, 2])
    assert len(list(tmp_path.iterdir())) == 2 * len(run.left())
    assert not latest.newest(run.prefix).skipped


def test_what_cannot_be_deleted_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    run = Run(tmp_path / "run")
    newest = run.snapshots(2, 4)

    def fails(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", fails)
    assert retention.prune(run.prefix, 1, newest) == []
    assert "cannot be deleted: Permission denied" in caplog.text
    assert run.left() == [4, 2]
    monkeypatch.undo()
    monkeypatch.setattr(os, "unlink", fails)
    retention.prune(run.prefix, 1, newest)
    assert "files of" in caplog.text and run.left() == [4]
    monkeypatch.undo()
    retention.prune(run.prefix, 1, newest)
    assert len(list(tmp_path.iterdir())) == 2
