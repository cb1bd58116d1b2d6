"""Draws net.svg, ResNet-50 of the zoo as `brew draw_net` draws it: python docs/images/net.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    net, out = ROOT / "model_zoo" / "resnet50" / "train_val.prototxt", ROOT / "docs" / "images" / "net.svg"
    command = [sys.executable, "-m", "brew", "draw_net", str(net), str(out), "--phase", "TEST", "--rankdir", "TB"]
    subprocess.run(command, check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
