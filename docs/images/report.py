"""Trains the digits, writes their page, and has Chromium draw its top into report.png: python docs/images/report.py."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1160, 1960  # pixels of the page that are shown
OPTIONS = ("base_lr=0.004", "max_iter=400", "display=5", "test_interval=50", "snapshot=0")


def main() -> None:
    browser = next(path for name in BROWSERS if (path := shutil.which(name)) is not None)
    with tempfile.TemporaryDirectory() as folder:
        sets = [word for option in OPTIONS for word in ("--set", option)]
        brew(folder, "data", "get", "digits", ".")
        brew(folder, "train", "solver.prototxt", *sets, "--report", "digits.html")
        page, drawn = Path(folder) / "digits.html", Path(folder) / "digits.png"
        size = f"--window-size={WIDTH},{HEIGHT}"
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", size, f"--screenshot={drawn}")
        subprocess.run([browser, *options, page.as_uri()], check=True, capture_output=True)
        with Image.open(drawn) as image:
            few = image.convert("RGB").quantize(200, dither=Image.Dither.NONE)
            few.save(Path(__file__).with_suffix(".png"), optimize=True)


def brew(folder: str, *command: str) -> None:
    subprocess.run([sys.executable, "-m", "brew", *command], cwd=folder, check=True, capture_output=True)


if __name__ == "__main__":
    main()
