"""What a training says about its data, and `brew check` with it: a TEST without data, tests on the training's source."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from brew import prototxt
from brew.checks.files import check
from brew.checks.states import Options
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.solver import Solver

ROOT = Path(__file__).resolve().parents[2]
FAULT = ROOT / "tests" / "fixtures" / "faults" / "39"
SOLVER = 'net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "s"'
TESTED = SOLVER + " test_iter: 1 test_interval: 1"
REST = """
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""
ACCURACY = 'layer { name: "acc" type: "Accuracy" bottom: "fc" bottom: "label" top: "acc" include { phase: TEST } }\n'


def data(name: str = "train", rule: str = "") -> str:
    source = f"digits_{name}_lmdb"
    param = f'data_param {{ source: "{source}" batch_size: 20 }}'
    return f'layer {{ name: "{name}" type: "Data" top: "data" top: "label" {rule} {param} }}\n'


TRAIN_ONLY, TEST_ONLY = "include { phase: TRAIN }", "include { phase: TEST }"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for part in ("train", "test"):
        shutil.copytree(ROOT / "examples" / "digits" / f"digits_{part}_lmdb", f"digits_{part}_lmdb")
    return tmp_path


@pytest.fixture
def said(here: Path, caplog: pytest.LogCaptureFixture) -> Callable[[str, str], list[str]]:
    """The warnings of a training that begins."""
    caplog.set_level(logging.WARNING, "brew")

    def run(net: str, solver: str) -> list[str]:
        Path("net.prototxt").write_text(net)
        Path("solver.prototxt").write_text(solver)
        caplog.clear()
        made = Solver("solver.prototxt")
        for each in (made.net, *made.test_nets):
            each.close()
        return [record.getMessage() for record in caplog.records]

    return run


def codes(path: str = "solver.prototxt") -> list[str]:
    return [finding.code for finding in check(path, Options())]


def test_a_rule_that_leaves_tests_without_data(said: Callable[[str, str], list[str]]):
    [warning] = said(data(rule=TRAIN_ONLY) + REST + ACCURACY, SOLVER)
    assert warning.startswith('net.prototxt:6:1: layer "acc" (Accuracy) is for TEST, where no layer makes data')
    assert codes() == ["B261"] and codes("net.prototxt") == ["B224"]


@pytest.mark.parametrize(
    "net",
    [
        data(rule=TRAIN_ONLY) + REST,  # nothing is meant for a test
        data(rule=TRAIN_ONLY) + data("test", TEST_ONLY) + REST + ACCURACY,
        data() + REST + ACCURACY,  # one layer serves both
        "state { phase: TRAIN }" + data(rule=TRAIN_ONLY) + REST + ACCURACY,
    ],
)
def test_nets_that_could_be_tested_or_are_not_meant_to(net: str, said: Callable[[str, str], list[str]]):
    assert said(net, SOLVER) == []


def test_one_layer_that_serves_both_phases(said: Callable[[str, str], list[str]]):
    net = data() + REST + ACCURACY
    [warning] = said(net, TESTED)
    what = 'layer "train" (Data): the test reads digits_train_lmdb, which the training reads too'
    assert warning.startswith("net.prototxt:1:") and what in warning
    assert [f.message for f in check("solver.prototxt", Options()) if f.code == "B223"] == [what]
    assert "B223" in codes("net.prototxt")


def test_two_layers_of_one_source(said: Callable[[str, str], list[str]]):
    net = data(rule=TRAIN_ONLY) + data("train", TEST_ONLY) + REST + ACCURACY
    [warning] = said(net, TESTED)
    assert "the test reads digits_train_lmdb" in warning
    assert "B223" in codes() and "B223" in codes("net.prototxt")


@pytest.mark.parametrize(
    ("net", "solver"),
    [
        (data(rule=TRAIN_ONLY) + data("test", TEST_ONLY) + REST + ACCURACY, TESTED),
        (data() + REST, SOLVER),  # no test net
    ],
)
def test_a_test_on_other_data_or_none(net: str, solver: str, said: Callable[[str, str], list[str]]):
    assert said(net, solver) == []
    assert "B223" not in codes() and "B223" not in codes("net.prototxt")


def test_the_solver_that_said_nothing(here: Path, caplog: pytest.LogCaptureFixture):
    shutil.copytree(FAULT, "39")
    Path("examples/digits").mkdir(parents=True)
    Path("digits_train_lmdb").rename("examples/digits/digits_train_lmdb")
    Solver(prototxt.read("39/s_a.prototxt", SolverParameter)).net.close()
    assert 'layer "acc" (Accuracy) is for TEST, where no layer makes data' in caplog.text
