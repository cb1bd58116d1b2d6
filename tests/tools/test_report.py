"""`brew train --report` and `brew report` through the command line, for nets of every task."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scored_nets import HEADS, SOLVER, X, Y, write_net

Run = Callable[..., Any]
_VOID = {"meta", "img", "br"}


class _Page(HTMLParser):
    """Checks that elements are closed in order, and collects what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(path: Path) -> str:
    """The text of a page that is whole and fetches nothing."""
    text = path.read_text("utf-8")
    parser = _Page()
    parser.feed(text)
    assert parser.open == [] and all(url.startswith("data:image/") for url in parser.fetched)
    assert "url(" not in text and "<script" not in text and "@import" not in text
    return text


def headings(text: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", text)


@pytest.fixture
def trained(folder: Path, brew_run: Run) -> Callable[..., str]:
    """Trains the net of the folder and gives the page."""

    def train(*options: str, solver: str = SOLVER) -> str:
        (folder / "s.prototxt").write_text(solver)
        ran = brew_run("train", "s.prototxt", "--report", "r.html", *options)
        assert ran.code == 0, ran.err
        return page(folder / "r.html")

    return train


def test_classes(folder: Path, trained: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    text = trained()
    assert headings(text) == [
        "Curves", "Results", "Most confident mistakes", "Samples, as the net gets them", "Where the time went", "Settings",
        "Versions",
    ]  # fmt: skip
    assert "<b>0.6667</b><span>accuracy</span>" in text
    assert "says ant (" in text and "is bee" in text  # names stand in labels.txt beside the data
    assert text.count('class="wrong"') == 4  # each a mistake and a sample
    assert "base_lr: 1e-09" in text and ">SoftmaxWithLoss<" in text


def test_many_classes_have_their_worst_pairs(folder: Path, trained: Run) -> None:
    scores = np.eye(60)[np.arange(60) // 2]
    write_net(folder, HEADS["classes"], scores, np.arange(60) // 2 + (np.arange(60) % 3 == 0))
    text = trained(solver=SOLVER.replace("test_iter: 2", "test_iter: 20"))
    assert "Pairs that are confused most" in text and "Classes found worst" in text and "all 60 classes" in text
    assert 'class="matrix"' not in text


def test_several_labels_and_values(folder: Path, trained: Run) -> None:
    write_net(folder, HEADS["labels"], X - 1.5, np.eye(3)[Y])
    text = trained()
    assert "exact_match" in text and "misses bee" in text and "wrongly ant" in text
    write_net(folder, HEADS["values"], X, X + 1)
    text = trained()
    assert "Largest errors" in text and "Predicted over true" in text and "says 3, 1, 0<br>is 4, 2, 1" in text


def test_ignored_labels_are_no_mistakes(folder: Path, trained: Run) -> None:
    labels = np.eye(3)[Y]
    labels[[2, 5]] = -1  # the items that the net has wrong
    ignoring = HEADS["labels"].replace('top: "loss"', 'top: "loss" loss_param { ignore_label: -1 }')
    write_net(folder, ignoring, X - 1.5, labels)
    text = trained()
    assert "exact_match" in text and "misses" not in text and "wrongly" not in text


def test_a_segmentation_shows_maps(folder: Path, trained: Run) -> None:
    pictures = np.zeros((6, 3, 4, 5))
    pictures[:, 1, :2] = 9
    labels = np.ones((6, 4, 5))
    labels[:, 3] = 255
    head = HEADS["classes"].replace('top: "loss"', 'top: "loss" loss_param { ignore_label: 255 }', 1)
    write_net(folder, head.split(" layer {")[0], pictures, labels)
    text = trained()
    assert "mean_iou" in text and "33.3% wrong" in text
    maps = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in re.findall(r"png;base64,([^\"]*)", text)
    ]
    assert maps[0].shape == (4, 5, 3)  # the input, the labels, the prediction
    assert (maps[1][3] == 173).all() and (maps[1][:3] == maps[1][0, 0]).all()
    assert (maps[2][:2] == maps[1][0, 0]).all() and (maps[2][2] != maps[1][0, 0]).any()


def test_filters_and_pictures_in_their_colours(folder: Path, trained: Run) -> None:
    net = Path("net.prototxt")
    pictures = np.zeros((6, 3, 8, 8))
    pictures[:, 2] = 200  # HDF5 holds colours as its program wrote them: blue, of red, green and blue
    write_net(folder, "", pictures, Y)
    net.write_text(
        net.read_text()
        + 'layer { name: "conv" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 4 kernel_size: 3'
        ' weight_filler { type: "xavier" } } } layer { name: "ip" type: "InnerProduct" bottom: "c" top: "y"'
        ' inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }'
        + HEADS["classes"].replace('"x"', '"y"')
    )
    text = trained()
    assert "conv: 4 filters of 3 x 3 x 3" in text
    first = Image.open(io.BytesIO(base64.b64decode(re.findall(r"png;base64,([^\"]*)", text)[0])))
    assert first.getpixel((3, 3)) == (0, 0, 200)


def test_without_a_test_net(folder: Path, trained: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    text = trained(solver=SOLVER.replace("test_iter: 2 test_interval: 2", ""))
    assert "The solver has no test net." in text and "train/loss" in text
    write_net(folder, HEADS["none"], X, Y)
    assert "no loss and no Accuracy compares scores with labels" in trained()


def test_what_interrupts_a_training(folder: Path, brew_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from brew.solver.solver import Solver

    write_net(folder, HEADS["classes"], X, Y)
    (folder / "s.prototxt").write_text(SOLVER)
    step = Solver.step

    def interrupted(self: Solver, iterations: int) -> None:
        step(self, 2)
        self.request("stop")
        step(self, iterations - 2)

    monkeypatch.setattr(Solver, "step", interrupted)
    assert brew_run("train", "s.prototxt", "--report").code == 0
    text = page(folder / "s_report.html")
    assert "was interrupted after 2 iterations" in text and "were not tested" in text and "train/loss" in text


def test_a_training_that_diverges_has_a_page(folder: Path, brew_run: Run) -> None:
    write_net(folder, HEADS["values"], X, X * 1e20)
    (folder / "s.prototxt").write_text(SOLVER.replace("base_lr: 1e-9", "base_lr: 1e30"))
    assert brew_run("train", "s.prototxt", "--report", "r.html").code == 4
    assert "diverged" in page(folder / "r.html")


def test_the_curves_of_a_resumed_training_are_whole(folder: Path, brew_run: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    (folder / "s.prototxt").write_text(SOLVER.replace("snapshot_after_train: false", "snapshot: 2"))
    brew_run("train", "s.prototxt", "--metrics", "m.jsonl", "--set", "max_iter=2")
    ran = brew_run(
        "train", "s.prototxt", "--metrics", "m.jsonl", "--resume", "--report", "r.html", "--set", "max_iter=6"
    )
    assert ran.code == 0 and "The report is in r.html." in ran.err
    curve = re.search(r'<path d="(M[^"]*)"[^>]*class="brew-0-line" stroke-width="2"', page(folder / "r.html"))
    assert curve is not None and curve[1].count("L") == 5


def test_other_files_are_not_replaced(folder: Path, brew_run: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    (folder / "s.prototxt").write_text(SOLVER)
    (folder / "mine.html").write_text("<html>mine</html>")
    refused = brew_run("train", "s.prototxt", "--report", "mine.html")
    assert refused.code == 7 and "Iteration 0" not in refused.err
    assert brew_run("train", "s.prototxt", "--report", "no/r.html").code == 7
    for _ in range(2):  # its own page is
        assert brew_run("train", "--report", "s.prototxt").code == 0
    page(folder / "s_report.html")


def test_the_page_of_weights(folder: Path, brew_run: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    (folder / "s.prototxt").write_text(SOLVER.replace("snapshot_after_train: false", ""))
    log = brew_run("train", "s.prototxt").err
    (folder / "train.log").write_text(log)
    made = brew_run("report", "s.prototxt", "--weights", "s_iter_4.caffemodel", "--run", "train.log")
    assert made.out == "s_iter_4_report.html\n"
    text = page(folder / "s_iter_4_report.html")
    assert "<b>0.6667</b><span>accuracy</span>" in text and "train/loss" in text
    assert brew_run("report", "s.prototxt", "--weights", "gone.caffemodel").code == 3
    for nameless in (".", ""):
        assert "names no file" in brew_run("report", "s.prototxt", "--weights", nameless).err
    Path("plain").write_bytes(Path("s_iter_4.caffemodel").read_bytes())
    assert brew_run("report", "s.prototxt", "--weights", "plain").out in ("plain_report.html\n", "")
    nowhere = brew_run("report", "s.prototxt", "--weights", "s_iter_4.caffemodel", "--out", "no/r.html")
    assert nowhere.code == 7 and "there is no folder no" in nowhere.err


def test_names_cannot_break_out_of_the_page(folder: Path, trained: Run) -> None:
    write_net(folder, HEADS["classes"], X, Y)
    (folder / "labels.txt").write_text("<script>alert(1)</script>\n&bee\n\u202ecat\n")
    (folder / "net.prototxt").write_text('name: "<b>\u202e" ' + (folder / "net.prototxt").read_text())
    text = trained()
    assert "&lt;script&gt;alert(1)" in text and "\u202e" not in text
