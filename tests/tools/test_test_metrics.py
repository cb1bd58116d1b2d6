"""`brew test --metrics` and `brew train --test-metrics` through the command line, on small nets of every task."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scored_nets import HEADS, SOLVER, X, Y, write_net

Run = Callable[..., Any]


@pytest.fixture
def tested(folder: Path, brew_run: Run) -> Callable[..., Any]:
    def run(*options: str) -> Any:
        from brew.net.net import Net

        Net("net.prototxt", phase="test").save("w.caffemodel")
        return brew_run("test", "--model", "net.prototxt", "--weights", "w.caffemodel", "--iterations", "2", *options)

    return run


def test_classes(folder: Path, tested: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    out = tested("--metrics", "all", "--json").out
    lines = out.splitlines()
    assert 'metrics of "x" against "label", 6 items' in lines
    assert "accuracy = 0.666667" in lines and "f1 = 0.666667" in lines
    # Class 1 ranks wrong, right, wrong, wrong, right, wrong: of 8 pairs 4 are in order; precisions 1/2 and 2/5.
    assert "1 bee       2     0.5000  0.5000  0.5000  0.5000  0.4500" in lines
    assert "0 ant              1  1  ." in lines
    facts = json.loads(lines[-1])
    assert facts["outputs"]["accuracy"] == pytest.approx(2 / 3)
    assert facts["heads"][0]["confusion"] == [[1, 1, 0], [1, 1, 0], [0, 0, 2]]
    assert facts["heads"][0]["classes"][0]["class"] == "0 ant"
    only = tested("--metrics", "top2,per_class").out
    assert "top2 = 0.666667" in only and "predicted" not in only and "2 cat" in only


def test_places_of_a_segmentation(folder: Path, tested: Run) -> None:
    head = HEADS["classes"].replace('top: "loss"', 'top: "loss" loss_param { ignore_label: 255 }', 1)
    head = head.replace('top: "accuracy"', 'top: "accuracy" accuracy_param { ignore_label: 255 }')
    labels = np.stack([Y, np.full(6, 255)], 1)
    write_net(folder, head, np.stack([X, X], 2), labels)
    out = tested("--metrics", "all").out
    assert "6 labels" in out and "pixel_accuracy = 0.666667" in out
    assert "mean_iou = 0.555556" in out  # (1/3 + 1/3 + 1) / 3


def test_several_labels(folder: Path, tested: Run) -> None:
    write_net(folder, HEADS["labels"], X - 1.5, np.eye(3)[Y])
    out = tested("--metrics", "all").out
    assert "exact_match = 0.666667" in out and "accuracy = 0.777778" in out
    assert "2 cat       2" in out


def test_values(folder: Path, tested: Run) -> None:
    write_net(folder, HEADS["values"], X, X + 1)
    out = tested("--metrics", "all").out
    assert "mae = 1\n" in out and "rmse = 1\n" in out and "r2 = " in out
    assert "ant" not in out  # labels.txt names classes, not the numbers of an item


def test_one_label_is_counted_as_1(folder: Path, tested: Run) -> None:
    write_net(folder, HEADS["classes"], X, np.array([0, 1, 1, 2, 2, 2]))
    assert "0 ant       1     0.5" in tested("--metrics", "per_class").out


def test_blobs_are_named_where_no_loss_compares_them(folder: Path, tested: Run) -> None:
    write_net(folder, HEADS["none"], X, Y)
    missing = tested("--metrics", "f1")
    assert missing.code == 2 and "no loss and no Accuracy" in missing.err
    named = ("--scores", "x", "--labels", "label")
    assert "--task classes" in tested(*named).err
    assert "accuracy = 0.666667" in tested(*named, "--task", "classes").out
    assert tested("--scores", "x").code == tested("--task", "values").code == 2
    nothing = tested("--scores", "xx", "--labels", "label")
    assert nothing.code == 2 and 'no blob "xx"' in nothing.err and 'did you mean "x"' in nothing.err
    misfit = tested(*named, "--task", "values")
    assert misfit.code == 3 and "6x3" not in misfit.out and "expected as many labels" in misfit.err


def test_mistakes_are_named(folder: Path, tested: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    assert 'did you mean "f1"' in tested("--metrics", "f11").err
    assert '"r2" is no metric for classes' in tested("--metrics", "r2").err
    assert "top3 says nothing of 3 classes" in tested("--metrics", "top3").err


def test_without_metrics_nothing_is_added(folder: Path, tested: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    assert tested().out.splitlines()[1:] == ["accuracy = 0.666667", tested().out.splitlines()[2]]


# --- in a training ----------------------------------------------------------------------------------------------------


def test_a_training_logs_them_and_writes_them_down(folder: Path, brew_run: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    (folder / "s.prototxt").write_text(SOLVER + 'best: "f1"')
    ran = brew_run("train", "s.prototxt", "--test-metrics", "f1,accuracy", "--metrics", "m.jsonl")
    assert ran.code == 0
    assert "Test net metric: f1 = 0.666667" in ran.err
    tests = [line for line in map(json.loads, (folder / "m.jsonl").read_text().splitlines()) if line["kind"] == "test"]
    assert len(tests) == 3
    assert set(tests[0]["outputs"]) == {"accuracy", "loss", "f1", "metric/accuracy"}
    assert tests[0]["outputs"]["f1"] == pytest.approx(2 / 3)
    assert brew_run("plot", "m.jsonl", "--what", "f1").out.count("test0/f1") == 1
    (folder / "t.log").write_text(ran.err)
    assert brew_run("plot", "t.log", "--what", "f1").out.count("test0/f1") == 1


def test_mistakes_of_a_training_are_named(folder: Path, brew_run: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    (folder / "s.prototxt").write_text(SOLVER)
    wrong = brew_run("train", "s.prototxt", "--test-metrics", "f2")
    assert wrong.code == 3 and 'no metric is called "f2"' in wrong.err
    assert '"mae" is no metric for classes' in brew_run("train", "s.prototxt", "--test-metrics", "mae").err
    (folder / "s.prototxt").write_text(SOLVER + 'test_metrics: "f2"')
    checked = brew_run("check", "s.prototxt")
    assert checked.code == 1 and 'no metric is called "f2"' in checked.out
    (folder / "s.prototxt").write_text(SOLVER + 'best: "f1" test_metrics: "f1"')
    assert 'best is "f1"' not in brew_run("check", "s.prototxt").out
    (folder / "s.prototxt").write_text(SOLVER + 'best: "f1"')
    assert 'best is "f1"' in brew_run("check", "s.prototxt").out
    write_net(folder, HEADS["none"], X, Y)
    (folder / "s.prototxt").write_text(SOLVER)
    assert "no loss and no Accuracy" in brew_run("train", "s.prototxt", "--test-metrics", "all").err
