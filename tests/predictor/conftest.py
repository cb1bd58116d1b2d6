"""A folder with a small classifier, and files with pictures for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from predictor_nets import deploy, picture, png

import brew


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """deploy.prototxt with weights and labels, and a readme.md that says how its pictures are prepared."""
    (tmp_path / "deploy.prototxt").write_text(deploy())
    brew.Net(str(tmp_path / "deploy.prototxt"), brew.TEST, seed=3).save(tmp_path / "small.caffemodel")
    (tmp_path / "labels.txt").write_text("ant\nbee\ncat\ndog\n")
    (tmp_path / "readme.md").write_text(
        "---\nname: small\nmean: [100, 110, 120]\nscale: 0.5\nchannel_order: BGR\n---\n"
    )
    return tmp_path


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., list[Path]]:
    """`files(n, **sizes)`: so many PNG files."""

    def make(number: int, **sizes: int) -> list[Path]:
        paths = [tmp_path / f"picture{i}.png" for i in range(number)]
        for i, path in enumerate(paths):
            path.write_bytes(png(picture(i, **sizes)))
        return paths

    return make
