from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from brew.datasets.importing import import_data
from brew.datasets.renumbering import Renumbered
from brew.datasets.settings import ImportSettings
from brew.datasets.sources.items import Box, Item, Pile
from brew.datasets.sources.kinds import open_source
from brew.errors import DataError

Made = Callable[..., Path]


def test_classes_have_the_numbers_of_a_list(pile: Made, tmp_path: Path) -> None:
    source = Renumbered(open_source(pile("cat/1.png", "dog/1.png")), ("dog", "bird", "cat"))
    assert [(item.name, item.label) for item in source.items] == [("cat/1.png", 2), ("dog/1.png", 0)]
    done = import_data(source, tmp_path / "out", ImportSettings())
    assert done.parts["train"].classes == {2: 1, 0: 1}
    assert (tmp_path / "out" / "train_lmdb" / "labels.txt").read_text() == "dog\nbird\ncat\n"


def test_numbers_get_names(pile: Made) -> None:
    folder = pile("a.png", "b.png")
    (folder / "list.txt").write_text("a.png 1\nb.png 0\n")
    source = open_source(folder / "list.txt")
    assert [item.label for item in Renumbered(source, ("x", "y")).items] == [1, 0]
    with pytest.raises(DataError, match=r"list\.txt:1: a\.png has the label 1; there are 1 labels"):
        Renumbered(source, ("x",))


def test_boxes_follow_and_masks_do_not(pile: Made) -> None:
    source = Pile()
    source.kind, source.path, source.labels = "boxes", Path("x"), ("none", "car")
    source.items = [Item("1", boxes=(Box(1, 0, 0, 1, 1),))]
    renumbered = Renumbered(source, ("none", "bus", "car"))  # type: ignore[arg-type]
    assert renumbered.items[0].boxes == (Box(2, 0, 0, 1, 1),)
    source.items = [Item("1", mask="1.png")]
    with pytest.raises(DataError, match="has masks, whose pixels keep the numbers"):
        Renumbered(source, ("none", "bus", "car"))  # type: ignore[arg-type]


def test_classes_that_are_not_in_the_list(pile: Made) -> None:
    with pytest.raises(DataError, match=r'not among the 2 labels: cat .did you mean "cats"'):
        Renumbered(open_source(pile("cat/1.png", "dog/1.png")), ("cats", "dog"))


def test_targets_that_a_source_scales_are_scaled(tmp_path: Path) -> None:
    (tmp_path / "load.csv").write_text("load\n" + "".join(f"{number}\n" for number in range(100, 130)))
    options = {"window": "3", "target": "load", "scale_target": "yes"}
    source = Renumbered(open_source(tmp_path / "load.csv", "series", options), ("x",))
    source.fit(source.items)
    assert max(abs(item.targets[0]) for item in source.items) < 3
