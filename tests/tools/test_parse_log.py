"""`brew parse_log` and `brew plot_training_log` through the command line, on a log in Caffe's words."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]

LOG = """\
Log file created at: 2016/12/31
I1231 23:59:58.500000  7 solver.cpp:48] Initializing solver from parameters:
I1231 23:59:59.000000  7 solver.cpp:279] Solving LeNet
I1231 23:59:59.250000  7 solver.cpp:337] Iteration 0, Testing net (#0)
I1231 23:59:59.500000  7 solver.cpp:404]     Test net output #0: accuracy = 0.125
I1231 23:59:59.500000  7 solver.cpp:404]     Test net output #1: loss = 2.5 (* 1 = 2.5 loss)
a line of somebody else's: loss = 7
I0101 00:00:00.000000  7 solver.cpp:228] Iteration 0 (0 iter/s, 0s/100 iters), loss = 2.25
I0101 00:00:00.000000  7 solver.cpp:244]     Train net output #0: loss = 2.25 (* 1 = 2.25 loss)
I0101 00:00:00.000000  7 sgd_solver.cpp:106] Iteration 0, lr = 0.01
I0101 00:00:01.000000  7 solver.cpp:228] Iteration 100 (100 iter/s, 1s/100 iters), loss = 1e-05
I0101 00:00:01.000000  7 solver.cpp:244]     Train net output #0: loss = 1e-05 (* 1 = 1e-05 loss)
I0101 00:00:01.000000  7 sgd_solver.cpp:106] Iteration 100, lr = 0.005
I0101 00:00:02.000000  7 solver.cpp:337] Iteration 200, Testing net (#0)
I0101 00:00:02.500000  7 solver.cpp:404]     Test net output #0: accuracy = 0.75
I0101 00:00:02.500000  7 solver.cpp:404]     Test net output #1: loss = nan (* 1 = nan loss)
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("le.log").write_text(LOG)
    Path("out").mkdir()
    return tmp_path


def test_csv_files_as_of_parse_log_py(brew_run: Run) -> None:
    outcome = brew_run("parse_log", "le.log", "out", "--verbose")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "Wrote out/le.log.train: 2 rows\nWrote out/le.log.test: 2 rows\n"
    assert Path("out/le.log.train").read_bytes() == (
        b"NumIters,Seconds,LearningRate,loss\r\n0.0,1.0,0.01,2.25\r\n100.0,2.0,0.01,1e-05\r\n"
    )  # the rate is told behind the outputs; that of the first row is the second's
    assert Path("out/le.log.test").read_bytes() == (
        b"NumIters,Seconds,LearningRate,accuracy,loss\r\n0.0,0.5,0.005,0.125,2.5\r\n200.0,3.5,0.005,0.75,nan\r\n"
    )
    assert brew_run("parse-log", "--delimiter=;", "le.log", "out").code == 0  # our own tables are replaced
    assert Path("out/le.log.test").read_text().startswith("NumIters;Seconds;")


def test_columns_as_of_parse_log_sh(brew_run: Run) -> None:
    assert brew_run("parse_log", "le.log").code == 0
    assert Path("le.log.train").read_text() == (
        "#Iters Seconds TrainingLoss LearningRate\n0    1.000000  2.25   0.01\n100  2.000000  1e-05  0.005\n"
    )
    assert Path("le.log.test").read_text() == (
        "#Iters Seconds TestAccuracy TestLoss\n0    0.250000  0.125  2.5\n200  3.000000  0.75   nan\n"
    )


def test_the_only_test_is_kept(brew_run: Run) -> None:
    Path("one.log").write_text("".join(LOG.splitlines(keepends=True)[:6]))
    assert brew_run("parse_log", "one.log", "out").out.startswith("Not writing out/one.log.train; no lines to write\n")
    assert Path("out/one.log.test").read_text().splitlines()[1] == "0.0,0.5,nan,0.125,2.5"


def test_outputs_that_come_later_get_a_column(brew_run: Run) -> None:
    late = "I0101 00:00:03.000000  7 solver.cpp:244]     Train net output #{}: {} = {}\n"
    start = "I0101 00:00:03.000000  7 solver.cpp:228] Iteration {}, loss = 1\n"
    lines = [
        start.format(200),
        late.format(0, "loss", 1),
        start.format(300),
        late.format(0, "aux", 2),
        late.format(1, "loss", 3),
    ]
    Path("late.log").write_text(LOG + "".join(lines) + start.format(400) + late.format(0, "loss", 4))
    assert brew_run("parse_log", "late.log", "out").code == 0
    assert Path("out/late.log.train").read_text().splitlines()[0] == "NumIters,Seconds,LearningRate,loss,aux"


def test_mistakes(brew_run: Run) -> None:
    Path("other.txt").write_text("no log\n")
    outcome = brew_run("parse_log", "other.txt", "out")
    assert outcome.code == 3 and "no line begins with a time" in outcome.err
    assert brew_run("parse_log", "none.log", "out").code == 3
    odd = f"I0101 00:00:00.1 1 a] Iteration 1\nI0101 00:00:00.1 1 a] Test net output #{'9' * 5000}: a = 1\n"
    Path("odd.log").write_text(odd)
    assert brew_run("parse_log", "odd.log", "out").code == 0
    assert brew_run("parse_log", "le.log", "nowhere").code == 2
    assert brew_run("parse_log", "le.log", "out", "--delimiter=ab").code == 2
    Path("out/le.log.train").write_text("mine\n")
    assert brew_run("parse_log", "le.log", "out").code == 7
    Path("cut.log").write_text(LOG[LOG.index("I1231 23:59:59.25") :])
    assert "no line says Solving" in brew_run("parse_log", "cut.log", "out").err


@pytest.mark.parametrize("number", range(8))
def test_charts(number: int, brew_run: Run) -> None:
    titles = ("Test accuracy", "Test loss", "Train learning rate", "Train loss")
    Path("b.log").write_text(LOG)
    outcome = brew_run("plot_training_log", str(number), "c.svg", "le.log", "b.log")
    assert (outcome.code, outcome.out) == (0, "")
    text = Path("c.svg").read_text()
    ElementTree.fromstring(text)
    assert f"{titles[number // 2]} vs. {('Iters', 'Seconds')[number % 2]}" in text
    assert all(f">{name}<" in text for name in ("le", "b"))
    assert (">200<" in text) == (number in (0, 2))  # the last test, by its iteration


def test_charts_that_cannot_be(brew_run: Run) -> None:
    assert brew_run("plot-training-log", "6", "c.png", "le.log").code == 0
    with Image.open("c.png") as picture:
        assert picture.format == "PNG"
    wrong = brew_run("plot_training_log", "8", "c.png", "le.log")
    assert wrong.code == 2 and "7: Train loss vs. Seconds" in wrong.err
    Path("train.log").write_text("".join(line for line in LOG.splitlines(keepends=True) if "Test" not in line))
    wrong = brew_run("plot_training_log", "0", "d.png", "train.log")
    assert wrong.code == 3 and "no test accuracy" in wrong.err
    assert brew_run("plot_training_log", "0", "d.doc", "le.log").code == 2
    assert brew_run("plot_training_log", "0", "d.png").code == 2
