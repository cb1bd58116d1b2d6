"""docs/python.md: its files are written, and its Python runs from top to bottom."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
FILES = dict(re.findall(r"^```(?:prototxt|python|python2)\n# (\S+)\n(.*?)^```", PAGE, re.M | re.S))
BLOCKS = re.findall(r"^```python\n((?!# \S+\.py\n).*?)^```", PAGE, re.M | re.S)


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
        for name in ("caffe", "rows"):
            sys.modules.pop(name, None)
    assert len(BLOCKS) >= 14
    assert set(FILES) == {
        "net.prototxt", "train.prototxt", "solver.prototxt", "deploy.prototxt", "rows.prototxt", "rows.py", "old.py",
    }  # fmt: skip


def test_the_old_script_prints_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text(FILES["old.py"])
    [expected] = re.findall(r"^```output\n(.*?)^```", PAGE, re.M | re.S)
    command = [sys.executable, "-m", "brew", "run", "--py2", str(tmp_path / "old.py")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == expected
