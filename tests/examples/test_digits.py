"""The example a stranger runs first: the digits are learned, whatever the seed."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import brew

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_digits_are_learned_in_250_iterations(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    changes = [f"random_seed={seed}", "max_iter=250", "test_interval=250", f"snapshot_prefix={tmp_path / 'digits'}"]
    solver = brew.get_solver("examples/digits/solver.prototxt", overrides=changes, device="cpu")
    scores: list[float] = []
    solver.watch(lambda event: scores.append(event.scores["accuracy"]) if hasattr(event, "scores") else None)
    solver.solve()
    solver.close()
    assert scores[0] < 0.3 and scores[-1] >= 0.96  # of 360 digits one more or less goes with rounding


@pytest.mark.slow
def test_the_command_of_the_readme(tmp_path: Path) -> None:
    """`brew train` on the example as it stands: 97 % and more, within 30 seconds on two cores."""
    command = [sys.executable, "-m", "brew", "train", "--solver", "examples/digits/solver.prototxt"]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--set", f"snapshot_prefix={tmp_path / 'digits'}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told = re.search(r"accuracy = ([\d.]+)", done.stdout)
    assert told is not None and float(told[1]) >= 0.97
    assert time.monotonic() - began < 120  # 30 s where nothing else runs; CI machines slow down


def test_mnist_lenet_is_caffes() -> None:
    """The published architecture: 431,080 parameters."""
    net = brew.Net(ROOT / "examples/mnist/lenet.prototxt", brew.TEST)
    assert sum(blob.count for blobs in net.params.values() for blob in blobs) == 431_080
    assert net.blobs["prob"].shape[1:] == (10,)
