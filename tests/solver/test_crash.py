"""Trainings that are killed: the files on disk load, and the result in the end is that of an undisturbed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def crash(folder: Path, *arguments: object) -> dict[str, float]:
    """The report of crash_training.py; one thread, so that the process can be forked."""
    task, *numbers = map(str, arguments)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    program = [sys.executable, "-W", "error", str(Path(__file__).with_name("crash_training.py"))]
    ran = subprocess.run(
        [*program, task, str(folder), *numbers], env=environment, capture_output=True, text=True, timeout=900
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    report: dict[str, float] = json.loads(ran.stdout)
    return report


def test_ten_kills_change_nothing(tmp_path: Path):
    report = crash(tmp_path, "kills", 10, 1701)
    assert report["kills"] == 10
    assert report["inside"] >= 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_kills_change_nothing(tmp_path: Path):
    report = crash(tmp_path, "kills", 200, 2026)
    assert report["kills"] == 200
    assert report["inside"] >= 40
    assert report["runs"] >= 2


@pytest.mark.parametrize("snapshot_format", ["BINARYPROTO", "HDF5"])
def test_a_pair_that_replaces_another_survives_a_kill_at_every_call(tmp_path: Path, snapshot_format: str):
    report = crash(tmp_path, snapshot_format, 100, 0)
    assert report["calls"] >= 15
    assert report["outcomes"] >= 3  # both sides of the record's rename were seen
