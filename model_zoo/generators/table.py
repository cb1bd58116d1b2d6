"""The table of the zoo: what is published of each net, and what Brew counts."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from brew.layer import TRAIN
from brew.reports.summary import Summary, summarise

_HEAD = """\
# Model zoo

A folder is a net: `train_val.prototxt` and `solver.prototxt` to train it, `deploy.prototxt` to use it, and `readme.md`,
which tells where its weights are, how pictures are prepared for it, and where the published figures come from. Brew
ships no weights of these nets. `python -m brew.model_zoo.generators.write` writes this file, the nets of the scripts in
`generators/`, and every `deploy.prototxt`.

Parameters are those that training changes, multiply-adds are those of one image (G: thousand millions, M: millions),
both of the net for training: GoogLeNet's have its auxiliary classifiers. Accuracy is in per cent, the first class and
among five, as its source says. Where published and counted figures differ, the net's `readme.md` says why.

| net | input | parameters, published | counted | multiply-adds, published | counted | accuracy, published |
|---|---|---|---|---|---|---|
"""


def front_matter(folder: Path) -> dict[str, Any]:
    """What stands between the first two lines `---` of a net's readme.md."""
    words: dict[str, Any] = yaml.safe_load((folder / "readme.md").read_text("utf-8").split("---\n")[1])
    return words


@cache
def counted(folder: Path, file: str = "train_val.prototxt", phase: int = TRAIN) -> Summary:
    """A net of the zoo in figures, for one image."""
    shapes = {} if file == "deploy.prototxt" else {"data": (1, *front_matter(folder)["input"])}
    return summarise(folder / file, phase, shapes=shapes)


def table(zoo: Path) -> str:
    """The text of the zoo's readme.md."""
    return _HEAD + "".join(_row(file.parent) for file in sorted(zoo.glob("*/train_val.prototxt")))


def _row(folder: Path) -> str:
    words = front_matter(folder)
    published = words.get("published", {})
    figures = counted(folder)
    cells = [
        f"[{words['name']}]({folder.name}/readme.md)",
        " x ".join(map(str, words["input"])),
        _count(published.get("parameters")),
        _count(figures.learned),
        _short(published.get("multiply_adds")),
        _short(figures.multiply_adds),
        " / ".join(str(published[key]) for key in ("accuracy", "top_5") if key in published),
    ]
    return f"| {' | '.join(cells)} |\n"


def _count(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}"


def _short(number: float | None) -> str:
    """3.86 G, 569 M."""
    if number is None:
        return ""
    return f"{number / 1e9:.4g} G" if number >= 1e9 else f"{number / 1e6:.4g} M"
