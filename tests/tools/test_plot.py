"""`brew plot` through the command line."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

Run = Callable[..., Any]


def test_a_training_is_drawn_from_its_metrics_and_its_log(brew_run: Run, folder: Path) -> None:
    log = brew_run("train", "-solver=solver.prototxt", "--metrics", "metrics.jsonl").err
    (folder / "tiny.log").write_text(log)
    assert brew_run("plot", "metrics.jsonl", "tiny.log", "--out", "a.svg").code == 0
    ElementTree.parse(folder / "a.svg")
    text = (folder / "a.svg").read_text()
    assert ">learning rate<" in text and ">tiny: test0/loss<" in text and f">{folder.name}: train/loss<" in text
    assert brew_run("plot", "log=tiny.log", "--out", "a.png", "--what", "loss", "--log", "--x", "time").code == 0
    with Image.open(folder / "a.png") as picture:
        assert picture.format == "PNG"


def test_without_out_a_table_is_printed(brew_run: Run, folder: Path) -> None:
    lines = [{"time": i, "iteration": i, "kind": "train", "loss": 8 - i, "rate": 1, "outputs": {}} for i in range(8)]
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, lines)))
    shown = brew_run("plot", "m.jsonl").out.splitlines()
    assert shown[2].split() == ["train/loss", "8", "1", "1", "at", "7", "8", "at", "0", "█▇▆▅▄▃▂▁"]
    assert "at 3m20s" not in brew_run("plot", "m.jsonl", "--x", "time").out


def test_mistakes_are_named(brew_run: Run, folder: Path) -> None:
    assert brew_run("plot").code == 2
    missing = brew_run("plot", "nothing.log")
    assert missing.code == 3 and "cannot read nothing.log" in missing.err
    (folder / "m.jsonl").write_text('{"iteration": 1, "kind": "train", "loss": 1}\n')
    assert brew_run("plot", "a=m.jsonl", "a=m.jsonl").code == 2
    assert brew_run("plot", "m.jsonl", "--what", "lose").err.count('"loss"') == 1
    assert brew_run("plot", "m.jsonl", "--out", "x.doc").code == 2
    assert brew_run("plot", "m.jsonl", "--x", "epoch").code == 2
