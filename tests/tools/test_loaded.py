"""What a plain training loads: nothing of what its net has no use for."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNUSED = {
    "brew.cpu.native.depthwise",
    "brew.cpu.native.grouped",
    "brew.cpu.native.planes",
    "brew.cpu.pixels.colours",
    "brew.cpu.pixels.resampling",
    "brew.data.augmentation",
    "brew.data.databases.leveldb",
    "brew.data.databases.leveldb_plain",
    "brew.page.training",
    "brew.solver.scoring.scoring",
    "PIL",
    "html",
    "statistics",
}
TRAIN = (
    "import sys\nfrom brew.tools.cli import main\n"
    "try: main(['train', 'solver.prototxt', '--set', 'max_iter=1'])\n"
    "finally: print(*sys.modules)"
)


def loaded(folder: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture
def digits(brew_run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert brew_run("data", "get", "digits", ".").code == 0
    return tmp_path


def test_a_plain_training_loads_no_more_than_it_needs(digits: Path) -> None:
    names = loaded(digits)
    assert {"brew.layers.data", "brew.layers.convolution", "brew.data.databases.lmdb"} <= names
    assert not UNUSED & names
    assert all(importlib.util.find_spec(name) for name in UNUSED)  # none has another name now


def test_an_augmentation_is_loaded_where_a_field_asks_for_it(digits: Path) -> None:
    net = digits / "train_test.prototxt"
    text = net.read_text()
    assert text.count("transform_param { ") == 2
    net.write_text(text.replace("transform_param { ", "transform_param { vertical_mirror: true "))
    assert "brew.data.augmentation" in loaded(digits)
