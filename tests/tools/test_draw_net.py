"""`brew draw_net` through the command line: Caffe's flags, kinds of files, what is replaced."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]
ZOO = Path(__file__).parents[2] / "model_zoo"


def texts(path: str) -> list[str]:
    root = ElementTree.parse(path).getroot()
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_net_and_a_solver(brew_run: Run, folder: Path) -> None:
    outcome = brew_run("draw_net", "net.prototxt", "net.svg")
    assert (outcome.code, outcome.out) == (0, "Drawing net to net.svg\n")
    assert {"data", "ip", "InnerProduct · 2", "loss"} <= set(texts("net.svg"))
    assert brew_run("draw-net", "solver.prototxt", "solver.png", "--rankdir=tb").code == 0
    with Image.open("solver.png") as picture:
        assert picture.format == "PNG" and picture.height > picture.width


def test_phases_and_rates(brew_run: Run, folder: Path) -> None:
    net = str(ZOO / "caffenet" / "train_val.prototxt")
    for phase, batches in (("TRAIN", ["Data · batch 256"]), ("TEST", ["Data · batch 50"]), ("ALL", None)):
        assert brew_run("draw_net", net, "a.svg", "-phase", phase, "--display_lrm").code == 0
        shown = [text for text in texts("a.svg") if text.startswith("Data")]
        assert shown == batches or (batches is None and len(shown) == 2)
        assert any("lr x 1, 2" in text for text in texts("a.svg"))


def test_long_nets_are_folded(brew_run: Run, folder: Path) -> None:
    net = str(ZOO / "resnet50" / "train_val.prototxt")
    assert brew_run("draw_net", net, "a.svg").code == 0
    assert "x 5, to res4f" in texts("a.svg") and "res4f_branch2a" not in texts("a.svg")
    assert brew_run("draw_net", net, "a.svg", "--no-repeats").code == 0
    assert "res4f_branch2a" in texts("a.svg")


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_what_is_replaced(ending: str, brew_run: Run, folder: Path) -> None:
    out = f"net.{ending}"
    assert brew_run("draw_net", "net.prototxt", out).code == 0
    assert brew_run("draw_net", "net.prototxt", out).code == 0
    if ending == "svg":
        Path(out).write_text("<svg>mine</svg>")
    else:
        Image.new("L", (3, 3)).save(out)
    refused = brew_run("draw_net", "net.prototxt", out)
    assert refused.code == 7 and "--overwrite" in refused.err
    assert brew_run("draw_net", "net.prototxt", out, "--overwrite").code == 0
    Path(out).write_text("thesis")
    assert brew_run("draw_net", "net.prototxt", out, "--overwrite").code == 7


def test_mistakes(brew_run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pydot", "pydotplus"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    outcome = brew_run("draw_net", "net.prototxt", "net.pdf")
    assert outcome.code == 2 and "pip install pydot" in outcome.err
    assert brew_run("draw_net", "net.prototxt", "net.svg", "--rankdir=down").code == 2
    assert brew_run("draw_net", "net.prototxt", "net.svg", "--phase=BOTH").code == 2
    assert brew_run("draw_net", "none.prototxt", "net.svg").code == 3
    assert brew_run("draw_net", "net.prototxt", "none/net.svg").code == 7
    assert not list(Path().glob("net.[sp][vd]*"))
