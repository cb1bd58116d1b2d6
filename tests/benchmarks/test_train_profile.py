"""train_profile.py: that its clocks see everything, add up to an iteration, and leave no trace behind."""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path
from types import ModuleType

import pytest

from brew.net.run.step import Step
from brew.net.run.whole_pass import WholePass
from brew.solver.solver import Solver
from brew.solver.training.divergence import Guard

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NET = """
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "%s" batch_size: 4 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("train_profile")
    monkeypatch.setattr(module, "_WINDOW", 0.02)
    return module


def test_the_shares_are_those_of_the_layers_the_update_and_the_data(profile: ModuleType, tmp_path: Path) -> None:
    net = profile.BenchmarkNet("small", tmp_path / "zoo.prototxt", (4, 1, 5, 5), 3)
    net.file.write_text(NET % "elsewhere")
    solver = profile.prepare(net, tmp_path)
    before = Step.bound, WholePass.make, Solver.step
    times = profile.profile(solver, 0.2)
    assert (Step.bound, WholePass.make, Solver.step) == before
    assert all(times[kind] > 0 for kind in (*profile.KINDS, "outside"))
    assert times["iteration"] == pytest.approx(sum(times[kind] for kind in (*profile.KINDS, "outside")))
    assert profile.report("small", times).startswith("small: ")


def test_what_a_layer_takes_is_the_layers(profile: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sleep in a layer's backward, and one between iterations."""
    from brew.layers.softmax_with_loss import SoftmaxWithLoss

    own = SoftmaxWithLoss.implementations["cpu", "caffe"].backward
    monkeypatch.setattr(
        SoftmaxWithLoss.implementations["cpu", "caffe"], "backward", lambda *a: (time.sleep(0.004), own(*a))
    )
    net = profile.BenchmarkNet("small", tmp_path / "zoo.prototxt", (4, 1, 5, 5), 3)
    net.file.write_text(NET % "elsewhere")
    solver = profile.prepare(net, tmp_path)
    times = profile.profile(solver, 0.3)
    assert times["backward"] > 0.004
    assert times["outside"] < 0.004
    monkeypatch.setattr(Guard, "leaves_out", lambda *_: bool(time.sleep(0.004)))
    assert profile.profile(solver, 0.3)["outside"] > 0.004


def test_check_fails_where_too_much_lies_outside(
    profile: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for outside, code in ((0.02, 0), (0.04, 1)):
        times = dict.fromkeys(profile.KINDS, 0.1) | {"outside": outside, "iteration": 1.0}
        monkeypatch.setattr(profile, "profile", lambda solver, seconds, times=times: times)
        assert profile.main(["--solver", "s.prototxt", "--check", "--json"]) == code
        assert json.loads(capsys.readouterr().out) == times


def test_nets_of_the_zoo_read_the_lmdb(profile: ModuleType, tmp_path: Path) -> None:
    text = profile._with_data(profile.NETS["caffenet"], tmp_path)
    assert text.count(f'source: "{tmp_path}"') == 2
    assert "mean_file" not in text
    assert "crop_size" not in text
