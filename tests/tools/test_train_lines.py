"""The lines of `brew train`, in Caffe's order, and those of debug_info."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_lines_come_in_caffes_order(brew_run: Run, folder: Path) -> None:
    """A display and a test in one iteration: the test comes first, the rate last (Solver::Step and Solve)."""
    log = brew_run("train", "-solver=solver.prototxt", "--set", "display=10", "--set", "ema_decay=0.9").err
    lines = [line.split("] ", 1)[1].strip() for line in log.splitlines() if "solver.cpp" in line]
    seen = [re.sub(r"( \(.* iters\))?(, loss|: loss|, lr) = .*", r"\2", line) for line in lines]
    test = ["Iteration {}, Testing net (#0)", "Test net output #0: loss"]
    shown = ["Iteration {}, loss", "Train net output #0: loss", "Iteration {}, lr"]
    expected = [line.format(number) for number in (0, 10) for line in test + shown]
    assert seen[seen.index(expected[0]) :] == [
        *expected,
        "Snapshotting to binary proto file tiny_iter_20.caffemodel",
        "Snapshotting solver state to binary proto file tiny_iter_20.solverstate",
        *(line.format(20) for line in shown[:1] + shown[-1:] + test),
        "Optimization Done.",
    ]


def test_debug_info_of_a_solver_shows_its_lines(brew_run: Run, folder: Path) -> None:
    log = brew_run("train", "-solver=solver.prototxt", "--set", "debug_info=true").err
    displays, tests = 4, 3 * 2  # a test net says it in every pass, as in Caffe
    assert log.count("[Forward] Layer ip, top blob ip data: ") == displays + tests
    for line in ("[Backward] Layer ip, param blob 0 diff: ", "[Update] Layer ip, param 0 data: ",
                 "[Backward] All net params (data, diff): L1 norm = ("):  # fmt: skip
        assert log.count(line) == displays
    assert "[Forward]" not in brew_run("train", "-solver=solver.prototxt").err
