"""Trains the digits at three rates and draws curves.svg: python docs/images/curves.py (half a minute)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from brew.reports.curves.chart import draw
from brew.reports.curves.files import write
from brew.reports.curves.reading import read_run

RATES = ("0.1", "0.01", "0.001")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        brew(folder, "data", "get", "digits", ".")
        for rate in RATES:
            options = (
                "base_lr=" + rate,
                "max_iter=1500",
                "display=10",
                "test_interval=100",
                "snapshot_after_train=false",
            )
            sets = (word for option in (*options, "snapshot=0") for word in ("--set", option))
            brew(folder, "train", "solver.prototxt", *sets, "--metrics", f"{rate}.jsonl")
        runs = [read_run(Path(folder) / f"{rate}.jsonl", f"base_lr {rate}") for rate in RATES]
        write(
            draw(runs, ["loss", "accuracy"], log=True, title="Digits at three rates"),
            Path(__file__).with_suffix(".svg"),
        )


def brew(folder: str, *command: str) -> None:
    subprocess.run([sys.executable, "-m", "brew", *command], cwd=folder, check=True, capture_output=True)


if __name__ == "__main__":
    main()
