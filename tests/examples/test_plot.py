"""examples/digits/plot.py draws what the log says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples/digits/plot.py"
LOG = """\
I1121 01:02:03.000001   1 solver.cpp:404] Iteration 0, Testing net (#0)
I1121 01:02:03.000001   1 solver.cpp:404]     Test net output #0: accuracy = 0.1
I1121 01:02:03.000001   1 solver.cpp:218] Iteration 0 (0 iter/s, 0s/50 iters), loss = 2
I1121 01:02:03.000001   1 solver.cpp:218]     Train net output #0: loss = 2 (* 1 = 2 loss)
I1121 01:02:03.000001   1 solver.cpp:218] Iteration 50 (9 iter/s, 5s/50 iters), loss = 1e-3
I1121 01:02:03.000001   1 solver.cpp:218]     Train net output #0: loss = 1e-3 (* 1 = 1e-3 loss)
I1121 01:02:03.000001   1 solver.cpp:404] Iteration 100, Testing net (#0)
I1121 01:02:03.000001   1 solver.cpp:404]     Test net output #0: accuracy = 0.975
"""


def test_it_draws_both_curves(tmp_path: Path) -> None:
    plot = runpy.run_path(str(SCRIPT))
    assert plot["read"](LOG, "Train", "loss") == [(0.0, 2.0), (50.0, 0.001)]
    assert plot["read"](LOG, "Test", "accuracy") == [(0.0, 0.1), (100.0, 0.975)]
    log, picture = tmp_path / "log", tmp_path / "picture.svg"
    log.write_text(LOG)
    plot["main"](str(log), str(picture))
    text = picture.read_text()
    assert "97.5 % at the end" in text
    assert text.count('stroke-width="2"') == 2


def test_a_log_without_curves_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("nothing")
    with pytest.raises(SystemExit, match="no train loss"):
        runpy.run_path(str(SCRIPT))["main"](str(tmp_path / "log"), str(tmp_path / "x.svg"))
