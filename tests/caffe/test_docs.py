"""docs/python.md: its files are written, and its Python runs from top to bottom."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
FILES = dict(re.findall(r"^```prototxt\n# (\S+)\n(.*?)^```", PAGE, re.M | re.S))
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)


def test_the_page_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    space: dict[str, object] = {}
    try:
        for number, block in enumerate(BLOCKS):
            exec(compile(block, f"docs/python.md, block {number}", "exec"), space)
    finally:
        sys.modules.pop("caffe", None)
    assert len(BLOCKS) >= 13
    assert set(FILES) == {"net.prototxt", "train.prototxt", "solver.prototxt", "deploy.prototxt"}
