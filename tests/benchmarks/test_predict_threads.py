"""predict_threads.py: every pair of threads and nets is measured."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_every_pair_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = importlib.import_module("predict_threads")
    script.main(
        ["--net", "lenet", "--calls", "6", "--rounds", "2", "--threads", "1", "3", "--nets", "1", "2", "--json"]
    )
    found = json.loads(capsys.readouterr().out)
    assert [(speed["nets"], speed["threads"]) for speed in found] == [(1, 1), (1, 3), (2, 1), (2, 3)]
    assert all(speed["items_a_second"] > 0 and 0 < speed["processor_ms"] < 1000 for speed in found)
