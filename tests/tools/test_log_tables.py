"""What a training prints, stdout and stderr in one file, as Caffe's parse_log.sh and parse_log.py would read it.

Their formats are written down here anew, as expressions of our own: which lines they take for which column, and that
each table is rectangular, as the loader of plot_training_log needs it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
STAMP = re.compile(r"[IWEF](?P<month>\d\d)(?P<day>\d\d) (?P<time>\d\d:\d\d:\d\d\.\d{6}) +\d+ [\w.]+:\d+\] (?P<text>.*)")
NUMBER = r"[-+]?\d+\.?\d*(e[-+]?\d+)?"

NET = """
name: "two"
layer { name: "data" type: "DummyData" top: "data" top: "a" top: "b" dummy_data_param {
  shape { dim: 4 dim: 6 } shape { dim: 4 dim: 2 } shape { dim: 4 dim: 3 } data_filler { type: "gaussian" } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "iq" type: "InnerProduct" bottom: "data" top: "iq" inner_product_param { num_output: 3 } }
layer { name: "score" type: "Reduction" bottom: "ip" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "a" top: "loss" }
layer { name: "more" type: "EuclideanLoss" bottom: "iq" bottom: "b" top: "more" }
"""
SOLVER = """
net: "net.prototxt" test_iter: 1 test_interval: 2 base_lr: 0.01 lr_policy: "step" gamma: 0.5 stepsize: 3 display: 2
max_iter: 6 random_seed: 1 snapshot_prefix: "s" snapshot: 4
"""
TWICE = SOLVER.replace("test_iter: 1", "test_iter: 1 test_iter: 1 test_state { } test_state { }")


def lines_of(log: str) -> list[str]:
    """The texts of stamped lines; of the others it is checked that neither program would stumble over one."""
    texts = []
    for line in log.splitlines():
        stamped = STAMP.fullmatch(line)
        if stamped is not None:
            texts.append(stamped["text"])
            continue
        # parse_log.py reads a time off every line behind the first Iteration, and passes by what gives a ValueError
        words = line.split()
        assert len(words) > 1, f"{line!r} ends parse_log.py"
        with pytest.raises(ValueError):
            datetime(2026, int(words[0][1:3]), int(words[0][3:]))
        assert not re.search(r"Iteration |Testing net|\] Solving |, loss = |, lr = |Test net output|lr = ", line), line
    return texts


def table_of_training(texts: list[str]) -> list[tuple[int, float, float]]:
    """By parse_log.sh: rows of iteration, loss and rate, from lines of their own that need not be of one length."""
    losses = [line for line in texts if ", loss = " in line]
    rates = [line for line in texts if ", lr = " in line]
    iterations = [int(re.search(r"Iteration (\d+)", line)[1]) for line in losses]  # type: ignore[index]
    values = [float(line.split("=")[1]) for line in losses]
    assert all(re.fullmatch(rf"Iteration \d+, lr = {NUMBER}", line) for line in rates)
    return list(zip(iterations, values, [float(line.split()[4]) for line in rates], strict=True))


def table_of_tests(texts: list[str]) -> list[tuple[int, float, float]]:
    """The same for tests: what is left behind the first test has "Iteration " in it for a test alone."""
    begin = next(i for i, line in enumerate(texts) if re.search("Iteration .* Testing net", line))
    rest = [line for line in texts[begin:] if not re.search("Iteration .* (loss|lr)|Train net", line)]
    iterations = [int(re.search(r"Iteration (\d+)", line)[1]) for line in rest if "Iteration " in line]  # type: ignore[index]
    outputs = [[float(line.split()[6]) for line in rest if f"Test net output #{number}" in line] for number in (0, 1)]
    return list(zip(iterations, *outputs, strict=True))


@pytest.mark.parametrize(
    ("solver", "tests"), [(SOLVER, 1), (TWICE, 2), (SOLVER + 'best: "loss" keep: 2 ema_decay: 0.9', 1)]
)
def test_both_tables_are_rectangular(solver: str, tests: int, brew_run: Run, folder: Path) -> None:
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(solver)
    first = brew_run("train", "--solver", "solver.prototxt")
    assert first.code == 0, first.err
    resumed = brew_run("train", "--solver", "solver.prototxt", "--resume", "--set", "max_iter=10")
    assert resumed.code == 0, resumed.err
    for log, begins in ((first.err + first.out, (0,)), (resumed.out + resumed.err, (6,)),
                        (first.out + first.err + resumed.err + resumed.out, (0, 6))):  # fmt: skip
        texts = lines_of(log)
        last = 6 if begins == (0,) else 10
        expected = [n for begin in begins for n in range(begin, (6 if begin == 0 else last) + 1, 2)]
        assert [row[0] for row in table_of_training(texts)] == expected
        assert [row[0] for row in table_of_tests(texts)] == [n for n in expected for _ in range(tests)]
        assert next(i for i, line in enumerate(texts) if "Solving" in line) < next(
            i for i, line in enumerate(texts) if "Iteration " in line
        )
        for line in texts:
            if "net output #" in line:
                assert re.search(rf"(Train|Test) net output #\d+: \S+ = {NUMBER}( \(\*|$)", line), line


def test_one_that_is_stopped_and_one_that_fails(brew_run: Run, folder: Path) -> None:
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER + 'max_time: "0.05s"')
    stopped = brew_run("train", "--solver", "solver.prototxt", "--set", "max_iter=1000000", "--set", "display=0")
    lines_of(stopped.err + stopped.out)
    (folder / "solver.prototxt").write_text(SOLVER + "clip_gradients: 1e9")
    failed = brew_run("train", "--solver", "solver.prototxt", "--set", "base_lr=1e30")
    assert failed.code == 4
    lines_of(failed.err + failed.out)


# --- the last words ---------------------------------------------------------------------------------------------------


def command_in(line: str) -> list[str]:
    """The command that a line names, as a shell would take it apart."""
    return shlex.split(re.search(r"brew (.*?)( scores them| goes on from there| makes the net to use)\.", line)[1])  # type: ignore[index]


def test_a_training_says_what_comes_next(brew_run: Run, folder: Path) -> None:
    done = brew_run("train", "solver.prototxt")
    line = next(line for line in done.err.splitlines() if "The weights are in" in line)
    assert "tiny_iter_20.caffemodel" in line
    assert brew_run(*command_in(line), "--iterations", "1").code == 0
    (folder / "solver.prototxt").write_text((folder / "solver.prototxt").read_text() + 'max_time: "0.01s"')
    stopped = brew_run("train", "solver.prototxt", "--set", "max_iter=1000000", "--set", "snapshot_prefix='my run'")
    line = next((line for line in stopped.err.splitlines() if "The weights are in" in line), "")
    assert "goes on from there" in line, stopped.err
    again = brew_run(*command_in(line), "--set", "max_iter=1", "--set", "snapshot_prefix=other")
    assert "my run_iter_" in again.err, again.err


def test_a_training_without_a_snapshot_says_nothing_of_one(brew_run: Run, folder: Path) -> None:
    done = brew_run("train", "solver.prototxt", "--set", "snapshot_after_train=false")
    assert done.code == 0 and "The weights are in" not in done.err


# --- a newcomer's wishes ----------------------------------------------------------------------------------------------


def test_the_solver_may_stand_alone_and_once(brew_run: Run, folder: Path) -> None:
    assert brew_run("train", "solver.prototxt", "--set", "max_iter=1").code == 0
    assert "brew train SOLVER" in brew_run("train").err
    twice = brew_run("train", "solver.prototxt", "--solver", "solver.prototxt")
    assert twice.code == 2 and "two solvers" in twice.err


def test_help_is_a_verb_too(brew_run: Run) -> None:
    assert brew_run("help").out == brew_run("--help").out
    assert brew_run("help", "train").out == brew_run("train", "--help").out
    assert brew_run("help", "data", "get").out == brew_run("data", "get", "--help").out
    assert 'did you mean "train"?' in brew_run("help", "trian").err


def test_inputs_without_data_are_told(brew_run: Run, folder: Path) -> None:
    assert brew_run("train", "solver.prototxt").code == 0
    assert brew_run("deploy", "net.prototxt", "deploy.prototxt").code == 0
    weights = ("--weights", "tiny_iter_20.caffemodel", "--iterations", "1")
    told = brew_run("test", "--model", "deploy.prototxt", *weights)
    assert told.code == 0 and re.search("W.*] data: an input without data stays 0", told.err)
    assert "input without data" not in brew_run("test", "--model", "net.prototxt", *weights).err
    timed = brew_run("time", "--model", "deploy.prototxt", "--mode", "forward", "--iterations", "1")
    assert "data: no data comes there; it is filled with random values" in timed.err


def test_memory_is_one_short_line(brew_run: Run, folder: Path) -> None:
    lines = brew_run("train", "solver.prototxt", "--set", "max_iter=1").err.splitlines()
    (line,) = [STAMP.fullmatch(line)["text"] for line in lines if "Memory" in line]  # type: ignore[index]
    assert len(line) < 100 and "0.0 MiB (" not in line
    more = brew_run("train", "solver.prototxt", "--set", "max_iter=1", "-v").err
    assert "Memory: " in more
