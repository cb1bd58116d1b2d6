"""A tiny net with its solver, and the command line run within this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from brew.tools.cli import main

NET = """
name: "tiny"
layer {
  name: "data" type: "DummyData" top: "data" top: "target"
  dummy_data_param {
    shape { dim: 4 dim: 6 } data_filler { type: "gaussian" }
    shape { dim: 4 dim: 2 } data_filler { type: "constant" value: 1 }
  }
}
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "target" top: "loss" }
"""
SOLVER = """
net: "net.prototxt"
test_iter: 2
test_interval: 10
base_lr: 0.01
lr_policy: "step"
gamma: 0.5
stepsize: 10
display: 5
max_iter: 20
random_seed: 1
snapshot_prefix: "tiny"
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with net.prototxt and solver.prototxt."""
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def brew_run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `brew ARGS`."""

    def run(*args: str) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(args)
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return run
