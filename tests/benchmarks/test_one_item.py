"""benchmarks/one_item.py, for a moment."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "one_item.py"


def test_it_says_what_is_spent_outside_of_the_layers(capsys: pytest.CaptureFixture[str]) -> None:
    script = SimpleNamespace(**runpy.run_path(str(SCRIPT)))
    assert script.main(["--seconds", "0.05"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["LeNet", "SqueezeNet 1.1"]
    for line in lines:
        whole, outside, share = map(float, re.findall(r"(?<= )[\d.]+(?=(?: us|:|%))", line.replace("1.1 ", "")))
        assert 0 < outside < whole and abs(share - 100 * outside / whole) < 0.2
