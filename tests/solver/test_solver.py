"""Solver: the loop's order, its log lines, its checks; learning rates; snapshots that cannot tear."""

from __future__ import annotations

import errno
import logging
import math
import os
from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.errors import BrewError, DivergedError, ResourceError
from brew.files import atomic
from brew.files.overwriting import Kind
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.solver import Solver
from brew.solver.training import events
from brew.solver.training.learning_rate import RateSchedule

ANY = Kind("a file", lambda path: True)

NET = """
name: "line"
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 4 dim: 3 } data_filler { type: "gaussian" } } }
layer { name: "t" type: "DummyData" top: "t" dummy_data_param { shape { dim: 4 dim: 2 } data_filler { type: "constant" value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "t" top: "loss" }
"""
SOLVER = """net: "%s"
base_lr: 0.1
lr_policy: "fixed"
max_iter: 10
snapshot_prefix: "%s"
random_seed: 5
"""


def make(folder: Path, extra: str = "", **options: object) -> Solver:
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER % (folder / "net.prototxt", folder / "s") + extra)
    return Solver(folder / "solver.prototxt", **options)  # type: ignore[arg-type]


def test_the_update_is_caffes(tmp_path: Path, device: str):
    """Momentum, L2, clipping before the division by iter_size: against the formulas, written out."""
    extra = "momentum: 0.9 weight_decay: 0.01 clip_gradients: 0.5 iter_size: 3"
    solver = make(tmp_path, extra, device=device)
    w, v = solver.net.params["ip"][0].data.copy(), 0.0
    for _ in range(4):
        solver.net.clear_param_diffs()
        for _ in range(3):
            solver.net.forward()
            solver.net.backward()
        g = [b.diff.copy() for b in solver.net.params["ip"]]
        norm = np.sqrt(sum((d**2).sum() for d in g))
        step = g[0] * min(1, 0.5 / norm) / 3 + 0.01 * w
        v = 0.9 * v + 0.1 * step
        w = w - v
        solver.update.apply(0.1, 0)
        np.testing.assert_allclose(solver.net.params["ip"][0].data, w, rtol=2e-5, atol=1e-6)
        np.testing.assert_allclose(solver.net.params["ip"][0].diff, v, rtol=2e-5, atol=1e-6)  # the step stays there


def test_the_log_is_caffes(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    extra = "display: 5 test_iter: 2 test_interval: 10 average_loss: 3"
    with caplog.at_level(logging.INFO, "brew"):
        solver = make(tmp_path, extra)
        solver.solve()
    heads = [m.split(",")[0].split("=")[0].strip() for m in caplog.messages if not m.startswith("Memory")]
    assert heads == [
        "Solver scaffolding done.", "Solving line", "Learning Rate Policy: fixed",
        "Iteration 0", "Test net output #0: loss",
        "Iteration 0 (0 iter/s", "Train net output #0: loss", "Iteration 0",
        next(h for h in heads if h.startswith("Iteration 5 (")), "Train net output #0: loss", "Iteration 5",
        f"Snapshotting to binary proto file {tmp_path / 's_iter_10.caffemodel'}",
        f"Snapshotting solver state to binary proto file {tmp_path / 's_iter_10.solverstate'}",
        "Iteration 10", "Iteration 10", "Iteration 10", "Test net output #0: loss", "Optimization Done.",
    ]  # fmt: skip
    assert any("(* 1 = " in m and m.endswith(" loss)") for m in caplog.messages)
    assert all(hasattr(r, "glog") for r in caplog.records if r.message.startswith("Iteration"))


def test_events_and_requests(tmp_path: Path):
    solver = make(tmp_path, "test_iter: 1 test_interval: 2 snapshot: 4")
    seen: list[object] = []
    tests: list[object] = []
    solver.watch(seen.append)
    solver.watch(tests.append, events.Tested)
    solver.watch(lambda e: solver.request("stop") if getattr(e, "iteration", 0) == 5 and hasattr(e, "rate") else None)
    solver.solve()
    assert solver.stopped == "request" and solver.iter == 5
    assert [type(e).__name__ for e in seen] == [
        "Tested", "Iterated", "Iterated", "Tested", "Iterated", "Iterated", "Snapshotted", "Tested", "Iterated", "Snapshotted", "Stopped"
    ]  # fmt: skip
    assert tests == [e for e in seen if isinstance(e, events.Tested)]
    assert {p.name for p in tmp_path.glob("s_iter_*")} == {
        "s_iter_4.caffemodel", "s_iter_4.solverstate", "s_iter_5.caffemodel", "s_iter_5.solverstate"
    }  # fmt: skip


def test_no_batch_to_test_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    solver = make(tmp_path, "test_iter: 0 test_interval: 5 test_compute_loss: true")
    assert [r.message.split(": ", 1)[1] for r in caplog.records] == ["test_iter is 0: tests of this net run no batch"]
    caplog.set_level("INFO")
    assert solver.test_all() == [{}]
    solver.solve()
    assert caplog.messages.count("Iteration 5, Testing net (#0)") == 1
    assert not any("Test net output" in m or "Test loss" in m for m in caplog.messages)


def test_smoothed_loss_is_the_mean_of_the_window(tmp_path: Path, device: str):
    solver = make(tmp_path, "average_loss: 3", device=device)
    single = []
    for _ in range(5):
        solver.step(1)
        single.append(solver.losses.losses()[-1])
    assert solver.losses.losses() == pytest.approx(single[-3:])
    assert solver.losses.mean() == pytest.approx(sum(single[-3:]) / 3)


def test_the_last_display_is_of_one_forward(tmp_path: Path, caplog: pytest.LogCaptureFixture, device: str):
    """It has no iter_size passes to be divided by (Caffe's Solve)."""
    with caplog.at_level(logging.INFO, "brew"):
        solver = make(tmp_path, "iter_size: 4 display: 10", device=device, overrides=["snapshot_after_train=false"])
        solver.solve()
    assert f"Iteration 10, loss = {solver.net.loss():g}" in caplog.messages


def test_a_net_without_loss_learns_nothing_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture, device: str):
    (tmp_path / "net.prototxt").write_text(NET[: NET.index('layer { name: "loss"')])
    (tmp_path / "solver.prototxt").write_text(SOLVER % (tmp_path / "net.prototxt", tmp_path / "s"))
    solver = Solver(tmp_path / "solver.prototxt", device=device)
    before = solver.net.params["ip"][0].data.copy()
    solver.step(2)
    np.testing.assert_array_equal(solver.net.params["ip"][0].data, before)
    assert any("nothing is learned" in m for m in caplog.messages)


def test_weights_of_the_solver_file_are_looked_for_beside_it(tmp_path: Path):
    first = make(tmp_path)
    first.net.save(tmp_path / "a.caffemodel")
    value = first.net.params["ip"][0].data.copy()
    second = make(tmp_path, 'weights: "a.caffemodel, a.caffemodel"', overrides=["random_seed=6"])
    np.testing.assert_array_equal(second.net.params["ip"][0].data, value)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ('lr_policy: "fixed"', {0: 1, 50: 1}),
        ('lr_policy: "step" gamma: 0.1 stepsize: 10', {9: 1, 10: 0.1, 25: 0.01}),
        ('lr_policy: "exp" gamma: 0.5', {0: 1, 3: 0.125}),
        ('lr_policy: "inv" gamma: 0.01 power: 2', {0: 1, 100: 0.25}),
        ('lr_policy: "multistep" gamma: 0.5 stepvalue: 5 stepvalue: 6', {4: 1, 5: 0.5, 6: 0.25, 50: 0.25}),
        ('lr_policy: "poly" power: 2', {0: 1, 50: 0.25, 100: 0}),
        ('lr_policy: "exp" gamma: 10', {2000: math.inf}),  # where Python's own power raises or turns complex
        ('lr_policy: "inv" gamma: -1 power: 1', {1: math.inf}),
        ('lr_policy: "poly" power: 0.5', {75: 0.5, 101: math.nan}),
        ('lr_policy: "sigmoid" gamma: 1 stepsize: 10', {10: 0.5, 1000: 1}),
        ('lr_policy: "sigmoid" gamma: -1 stepsize: 10', {10: 0.5, 5000: 0}),
    ],
)
def test_learning_rates(text: str, rates: dict[int, float]):
    param = prototxt.parse(f"base_lr: 1 max_iter: 100 {text}", SolverParameter).message
    schedule = RateSchedule(param)
    seen = [schedule.rate(iteration) for iteration in range(max(rates) + 1)]
    for iteration, expected in rates.items():
        assert seen[iteration] == pytest.approx(expected, rel=1e-6, abs=1e-12, nan_ok=True)  # the fields are float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('net: "', 'test_net: "'), "no net is given"),
        (("max_iter: 10", ""), "max_iter is missing"),
        (("max_iter: 10", 'max_iter: 10 train_net: "x"'), "net and train_net are given"),
        (('"fixed"', '"fixd"'), r'solver.prototxt:3:.*unknown lr_policy "fixd" \(did you mean "fixed"'),
        (('lr_policy: "fixed"', ""), "lr_policy is missing"),
        (("base_lr: 0.1", "base_lr: nan"), "base_lr"),
        (("base_lr: 0.1", "base_lr: -1"), "base_lr must not be negative"),
        (('"fixed"', '"multistep" gamma: 0.1 stepvalue: 9 stepvalue: 3'), "stepvalue must rise: 3 comes after 9"),
        (('"fixed"', '"step" gamma: 0.1 stepsize: 0'), "stepsize must be at least 1"),
        (("max_iter: 10", 'max_iter: 10 type: "SDG"'), 'unknown type "SDG"'),
        (("max_iter: 10", "max_iter: 10 iter_size: 0"), "iter_size must be at least 1"),
        (("max_iter: 10", "max_iter: 10 test_iter: 3"), "no test_interval"),
        (("max_iter: 10", "max_iter: 10 test_iter: -1 test_interval: 1"), "test_iter must not be negative, it is -1"),
        (("max_iter: 10", 'max_iter: 10 regularization_type: "L3"'), "L1 or L2"),
        (("max_iter: 10", "max_iter: 10 test_iter: 3 test_interval: 1 test_state { } test_state { }"), "2 times for 1 test"),
        (("net.prototxt", "nat.prototxt"), "there is no"),
    ],
)  # fmt: skip
def test_mistakes_say_where_and_what(tmp_path: Path, change: tuple[str, str], message: str):
    (tmp_path / "net.prototxt").write_text(NET)
    text = (SOLVER % (tmp_path / "net.prototxt", tmp_path / "s")).replace(*change)
    (tmp_path / "solver.prototxt").write_text(text)
    with pytest.raises(BrewError, match=message) as caught:
        Solver(tmp_path / "solver.prototxt")
    assert caught.value.exit_code == 3 and caught.value.place is not None


def test_a_prefix_that_cannot_be_written_stops_at_the_start(tmp_path: Path):
    with pytest.raises(ResourceError, match="does not exist") as caught:
        make(tmp_path, overrides=[f"snapshot_prefix={tmp_path / 'no' / 'where'}"])
    assert caught.value.exit_code == 7


def test_divergence_names_the_first_bad_blob(tmp_path: Path):
    solver = make(tmp_path, overrides=["base_lr=1e30", "max_iter=200"])
    with pytest.raises(
        DivergedError, match=r'the first blob that is not finite, "(ip|loss)"|weights of layer "ip"'
    ) as caught:
        solver.solve()
    assert caught.value.exit_code == 4


def test_a_failed_snapshot_on_the_way_warns_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    solver = make(tmp_path, "snapshot: 2")
    real, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    solver.step(4)
    assert any("snapshot at iteration 2 failed" in m for m in caplog.messages)
    assert sorted(p.name for p in tmp_path.glob("*s_iter*")) == ["s_iter_4.caffemodel", "s_iter_4.solverstate"]


def test_a_failed_last_snapshot_is_written_again_or_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    solver = make(tmp_path, "snapshot: 5")
    real = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ResourceError, match="No space left"):
        solver.solve()
    monkeypatch.setattr(os, "fsync", real)
    solver.solve()  # at max_iter already
    assert (tmp_path / "s_iter_10.solverstate").exists()


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str):
    target = tmp_path / "x"
    target.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(*((os, "fsync", fail) if broken == "fsync" else (Path, "replace", fail)))
    with pytest.raises(ResourceError, match="cannot write"), atomic.replacing(target, ANY) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]


def test_overrides_and_default_prefix(tmp_path: Path):
    solver = make(tmp_path, overrides=["base_lr=0.5", "snapshot_prefix="])
    assert solver.param.base_lr == 0.5
    assert solver.param.snapshot_prefix == str(tmp_path / "solver")


def test_the_solver_of_another_type_is_not_sgds(tmp_path: Path):
    make(tmp_path)
    assert isinstance(brew.SGDSolver(tmp_path / "solver.prototxt"), Solver)
    assert brew.get_solver(tmp_path / "solver.prototxt").iter == 0
    with pytest.raises(BrewError, match='type is "SGD", not "Adam"'):
        brew.AdamSolver(tmp_path / "solver.prototxt")
