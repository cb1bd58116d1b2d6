"""A real log of ours, read by the rules of Caffe's parse_log.py and extract_seconds.py."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from brew.tools.parts.log import GlogFormatter, TerminalFormatter

STAMP = re.compile(r"[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ [\w.]+:\d+\] ")
OUTPUT = r" net output #(\d+): (\S+) = ([\.\deE+-]+)"


def stamp_time(line: str, year: int = 2024) -> datetime:
    """extract_seconds.py: month and day from the first word, the time from the second; anything else fails."""
    day, clock = line.strip().split()[:2]
    whole, _, micro = clock.rpartition(".")
    hour, minute, second = (int(part) for part in whole.split(":"))
    return datetime(year, int(day[1:3]), int(day[3:]), hour, minute, second, int(micro))


def read_by_parse_logs_rules(log: str, which: str) -> list[dict[str, float]]:
    """The rows parse_log.py makes of the `which` ("Train" or "Test") net's outputs.

    Its rules: time starts at the first line with "Solving" in it; nothing counts before the first "Iteration N"
    after that; from then on every line must have a stamp; outputs are gathered under the iteration named last, with
    the rate named last; values are written with the characters of plain numbers.
    """
    lines = log.splitlines()
    begin = next(i for i, line in enumerate(lines) if "Solving" in line)
    start = stamp_time(lines[begin])
    iteration, rate, rows = -1, math.nan, []
    for line in lines[begin + 1 :]:
        named = re.search(r"Iteration (\d+)", line)
        iteration = int(named[1]) if named else iteration
        if iteration == -1:
            continue
        seconds = (stamp_time(line) - start).total_seconds()
        found = re.search(r"lr = ([-+]?[0-9]*\.?[0-9]+([eE]?[-+]?[0-9]+)?)", line)
        rate = float(found[1]) if found else rate
        output = re.search(which + OUTPUT, line)
        if output:
            if not rows or rows[-1]["NumIters"] != iteration:
                rows.append({"NumIters": iteration, "Seconds": seconds, "LearningRate": rate})
            rows[-1][output[2]] = float(output[3])
    return rows


@pytest.fixture
def log(brew_run: Callable[..., Any], folder: Path) -> str:
    outcome = brew_run("train", "-solver=solver.prototxt")
    assert outcome.code == 0
    return str(outcome.err)


def test_every_line_has_glogs_stamp(log: str) -> None:
    assert [line for line in log.splitlines() if not STAMP.match(line)] == []


def test_parse_log_reads_the_training(log: str) -> None:
    rows = read_by_parse_logs_rules(log, "Train")
    assert [row["NumIters"] for row in rows] == [0, 5, 10, 15]
    assert [row["LearningRate"] for row in rows[1:]] == [0.01, 0.01, 0.005]  # the rate follows the outputs
    assert all(set(row) == {"NumIters", "Seconds", "LearningRate", "loss"} for row in rows)
    assert all(0 <= row["Seconds"] < 60 for row in rows)
    assert [row["Seconds"] for row in rows] == sorted(row["Seconds"] for row in rows)
    assert all(row["loss"] > 0 for row in rows)


def test_parse_log_reads_the_tests(log: str) -> None:
    rows = read_by_parse_logs_rules(log, "Test")
    assert [row["NumIters"] for row in rows] == [0, 10, 20]
    assert all(row["loss"] > 0 for row in rows)


def test_extract_seconds_reads_every_iteration(log: str) -> None:
    start = stamp_time(next(line for line in log.splitlines() if "Solving" in line))
    seconds = [(stamp_time(line) - start).total_seconds() for line in log.splitlines() if "Iteration" in line]
    assert len(seconds) >= 12
    assert seconds == sorted(seconds)


def test_the_accuracy_printed_is_the_log_s(brew_run: Callable[..., Any], folder: Path) -> None:
    outcome = brew_run("train", "-solver=solver.prototxt")
    last = read_by_parse_logs_rules(outcome.err, "Test")[-1]
    printed = re.fullmatch(r"iteration 20, test net #0: loss = (\S+)\n", outcome.out)
    assert printed is not None
    assert float(printed[1]) == pytest.approx(last["loss"], rel=1e-4)


def test_quiet_says_nothing_of_a_good_run(brew_run: Callable[..., Any], folder: Path) -> None:
    assert brew_run("train", "-solver=solver.prototxt", "-q").err == ""


def test_formats() -> None:
    record = logging.LogRecord("brew", logging.WARNING, "/x/net.py", 7, "two\n\nlines of %s", ("it",), None)
    (line,) = GlogFormatter().format(record).splitlines()
    assert line.endswith("net.py:7] two\\n\\nlines of it")
    record.lines = True
    lines = GlogFormatter().format(record).splitlines()
    assert [line[0] for line in lines] == ["W", "W", "W"]
    assert lines[2].endswith(" net.py:7] lines of it")
    assert TerminalFormatter(colour=False).format(record) == "warning: two\n\nlines of it"
    record.glog = "solver.cpp:218"
    assert GlogFormatter().format(record).splitlines()[0].endswith(" solver.cpp:218] two")
