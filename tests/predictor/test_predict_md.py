"""The examples of docs/predict.md, one after another, on the digits after a short training."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import brew
from brew.data.databases.opening import open_database
from brew.data.datum import decode
from brew.data.images.decoding import encode_png

ROOT = Path(__file__).resolve().parents[2]
NAMES = {3: "three", 7: "seven"}


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example, trained for some iterations, and a picture of each of two digits."""
    example = tmp_path / "examples" / "digits"
    shutil.copytree(
        ROOT / "examples" / "digits", example, ignore=shutil.ignore_patterns("*.caffemodel", "*.solverstate")
    )
    monkeypatch.chdir(tmp_path)
    changes = ["max_iter=150", "test_interval=1000", "test_initialization=false"]
    solver = brew.get_solver("examples/digits/solver.prototxt", overrides=changes, device="cpu")
    solver.solve()
    solver.close()
    trained = brew.load("examples/digits")
    database = open_database(example / "digits_test_lmdb", None, what="digits", place=None)
    for record in database.scan(0):
        pixels, label = decode(record)
        if label in NAMES and trained.predict(pixels[0]).index == label:
            (tmp_path / f"{NAMES[label]}.png").write_bytes(encode_png(np.asarray(pixels[0], np.uint8)))
    database.close()
    return tmp_path


def test_the_examples_run(digits: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "predict.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/predict.md", "exec"), names)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("7 0.")
    assert {"seven.png 7", "three.png 3", "7", "seven"} <= set(said)
    assert (digits / "filters.png").is_file()
