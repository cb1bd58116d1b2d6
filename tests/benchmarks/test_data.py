"""benchmarks/data.py, on a few small records."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "data.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_of_data", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, spec.name, module)
    spec.loader.exec_module(module)
    for name, value in {"RECORDS": 300, "PICTURES": 3, "BATCH": 2, "SIZE": (90, 120), "CROP": 50, "AHEAD": 1}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "WORKERS", (0,))
    return module


def test_every_contestant_has_a_rate(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--rounds", "1", "--seconds", "0.01"]) == 0
    printed = capsys.readouterr().out
    rates = dict(re.findall(r"^  (\S.*?) +([\d,]+) images/s$", printed, re.MULTILINE))
    expected = {"decoder alone", "brew, ready", "brew, in the net", "NumPy's copy into float32", "brew, mean"}
    assert expected | {"brew, mean, shuffle"} <= rates.keys()
    assert all(int(rate.replace(",", "")) > 0 for rate in rates.values())


def test_targets_that_are_missed(script: ModuleType) -> None:
    good = {
        "decoder alone": 1000.0,
        "brew, ready": 970.0,
        "brew, in the net": 950.0,
        "DataLoader v1, 0 workers": 400.0,
        "DataLoader v2, 2 workers": 470.0,
    }
    assert script.missed("jpeg", good) == []
    assert script.missed("jpeg", good | {"brew, ready": 890.0, "brew, in the net": 890.0}) == [
        "0.89 of the decoder's own rate, at least 0.9", "1.89 times the best DataLoader, at least 2",
    ]  # fmt: skip
    raw = {"NumPy's copy into float32": 2e6, "brew, mean": 310_000.0}
    assert script.missed("raw", raw) == []
    assert script.missed("raw", raw | {"brew, mean": 2e5}) == ["200000 raw images/s, at least 300000"]
