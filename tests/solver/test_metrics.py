"""metrics.jsonl: what a line holds, and what stands in the file after a resume, a kill and a full disk."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from brew import prototxt
from brew.errors import ResourceError
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.metrics import Metrics
from brew.solver.solver import Solver
from brew.solver.training import events
from brew.solver.training.events import Displayed, Event, Iterated, Snapshotted, Stopped

SHOWN = Displayed(10, 0.5, 0.01, {"loss": 0.25, "p[1]": 2.0}, seconds=4.0, images=640, waited=0.25)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def shown(iteration: int) -> Displayed:
    return Displayed(iteration, 1.0, 0.1, {}, 0.0, 0)


def snapshotted(iteration: int) -> Snapshotted:
    return Snapshotted(iteration, Path(f"m_{iteration}.caffemodel"), Path(f"m_{iteration}.solverstate"))


def written(path: Path, *told: Event, iteration: int = 0) -> list[dict[str, Any]]:
    metrics = Metrics(path, iteration)
    for event in told:
        metrics(event)
    return lines_of(path)


def test_every_event_has_its_fields(tmp_path: Path):
    iterated = Iterated(11, 0.5, 0.01, 0.1, 64)
    lines = written(
        tmp_path / "m.jsonl",
        SHOWN,
        iterated,
        events.Tested(10, 1, {"accuracy": 0.9}),
        snapshotted(11),
        Stopped(11, "request", 12.5, 0.5),
    )
    assert all(abs(line.pop("time") - 1.7e9) < 1e9 for line in lines)
    assert lines == [
        {"iteration": 10, "kind": "train", "loss": 0.5, "rate": 0.01, "images_per_second": 160.0,
         "data_wait_seconds": 0.25, "outputs": {"loss": 0.25, "p[1]": 2.0}},
        {"iteration": 10, "kind": "test", "net": 1, "outputs": {"accuracy": 0.9}},
        {"iteration": 11, "kind": "snapshot", "weights": "m_11.caffemodel", "state": "m_11.solverstate"},
        {"iteration": 11, "kind": "stop", "reason": "request", "seconds": 12.5, "data_wait_seconds": 0.5},
    ]  # fmt: skip


def test_what_is_not_finite_or_not_known_is_null(tmp_path: Path):
    event = Displayed(0, float("nan"), 0.1, {"a": float("-inf"), "b": 1.0}, seconds=0.0, images=0)
    [line] = written(tmp_path / "m.jsonl", event)
    assert line["loss"] is None and line["images_per_second"] is None and line["outputs"] == {"a": None, "b": 1.0}


def test_a_line_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path):
    metrics = Metrics(tmp_path / "m.jsonl")
    metrics(shown(0))
    assert len(lines_of(tmp_path / "m.jsonl")) == 1


def test_a_resumed_training_repeats_no_iteration(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "m.jsonl"
    first = [
        shown(5),
        events.Tested(5, 0, {}),
        shown(9),
        snapshotted(10),
        shown(10),
        events.Tested(10, 0, {}),
        snapshotted(12),
    ]
    written(path, *first, Stopped(12, "request"))
    caplog.set_level(logging.INFO, "brew")
    lines = written(path, events.Tested(10, 0, {}), shown(10), iteration=10)
    assert [(line["iteration"], line["kind"]) for line in lines] == [
        (5, "train"), (5, "test"), (9, "train"), (10, "snapshot"), (10, "test"), (10, "train")
    ]  # fmt: skip
    assert caplog.messages == [f"{path}: lines from iteration 10 on are dropped: 4"]


def test_a_training_from_the_start_begins_the_file_anew(tmp_path: Path):
    path = tmp_path / "m.jsonl"
    written(path, shown(0), Stopped(0, "request"))
    assert len(written(path, shown(0))) == 1


@pytest.mark.parametrize("torn", ['{"time": 1, "itera', '{"iteration": 7, "kind": "train"}'])
def test_a_line_cut_short_is_dropped(tmp_path: Path, torn: str, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "m.jsonl"
    written(path, shown(5))
    with path.open("a") as file:
        file.write(torn)
    assert [line["iteration"] for line in written(path, shown(8), iteration=8)] == [5, 8]
    assert caplog.messages == [f"{path}: damaged lines are dropped: 1"]


def test_lines_that_stay_are_not_touched(tmp_path: Path):
    path = tmp_path / "m.jsonl"
    by_hand = b'{"kind":"note",  "iteration":1, "x":NaN}\n'
    path.write_bytes(by_hand + b'{"iteration": 9}\n')
    Metrics(path, 5)
    assert path.read_bytes() == by_hand


def test_a_folder_that_is_not_there_is_an_error_at_the_start(tmp_path: Path):
    with pytest.raises(ResourceError, match=r"m\.jsonl: No such file"):
        Metrics(tmp_path / "none" / "m.jsonl")


NET = """
layer { name: "x" type: "DummyData" top: "x" top: "t" dummy_data_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } data_filler { type: "gaussian" } data_filler { type: "constant" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""
SOLVER = """
net: "NAME.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 8 display: 2 test_iter: 1 test_interval: 4 snapshot: 4
snapshot_prefix: "NAME" random_seed: 3
"""


def test_a_training_killed_and_resumed_has_the_lines_of_one_that_was_not(tmp_path: Path):
    name = str(tmp_path / "n")
    Path(f"{name}.prototxt").write_text(NET)

    def train(state: str | None = None, iterations: int | None = None) -> list[tuple[object, ...]]:
        solver = Solver(prototxt.parse(SOLVER.replace("NAME", name), SolverParameter))
        if state:
            solver.restore(state)
        solver.watch(Metrics(tmp_path / "m.jsonl", solver.iter))
        solver.step(iterations) if iterations else solver.solve()
        solver.close()
        return [(e["iteration"], e["kind"], e.get("loss"), e.get("outputs")) for e in lines_of(tmp_path / "m.jsonl")]

    straight = train()
    assert [entry[:2] for entry in straight] == [
        (0, "test"), (0, "train"), (2, "train"), (4, "snapshot"), (4, "test"), (4, "train"), (6, "train"),
        (8, "snapshot"), (8, "test"), (8, "stop"),
    ]  # fmt: skip
    train(iterations=7)
    assert train(state=f"{name}_iter_4.solverstate") == straight


def test_resuming_what_is_finished_adds_nothing(tmp_path: Path):
    path, end = tmp_path / "m.jsonl", (events.Tested(8, 0, {}), Stopped(8, "max_iter"))
    once = written(path, shown(6), snapshotted(8), *end)
    again = written(path, snapshotted(8), *end, iteration=8)
    assert [line | {"time": 0} for line in again] == [line | {"time": 0} for line in once]


def test_a_kill_before_the_line_of_a_snapshot_loses_no_line(tmp_path: Path):
    path, state = tmp_path / "m.jsonl", tmp_path / "m_4.solverstate"
    state.write_bytes(b"state")
    written(path, shown(2))
    for _ in range(2):  # the second time it is there
        Metrics(path, 4, state)
        assert [(line["iteration"], line["kind"]) for line in lines_of(path)] == [(2, "train"), (4, "snapshot")]
    line = lines_of(path)[-1]
    assert (line["state"], line["weights"]) == (str(state), str(tmp_path / "m_4.caffemodel"))
    assert line["time"] == pytest.approx(state.stat().st_mtime, abs=0.01)
