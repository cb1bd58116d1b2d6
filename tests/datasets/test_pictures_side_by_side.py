from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from brew.datasets.sources.kinds import open_source
from brew.datasets.sources.pictures import Pictures
from brew.errors import BrewError

Pile = Callable[..., Path]


def test_pictures_without_classes(pile: Pile) -> None:
    folder = pile("b.png", "a.png")
    (folder / "notes.txt").write_text("")
    source = open_source(folder)
    assert isinstance(source, Pictures) and not source.labels
    assert [(item.name, item.label) for item in source.items] == [("a.png", None), ("b.png", None)]
    assert list(source.notes) == ["1 file left out, no pictures by their names: notes.txt"]
    assert source.read(source.items[1]).data == (folder / "b.png").read_bytes()


def test_classes_and_groups_in_names(pile: Pile) -> None:
    folder = pile("dog.ann.1.png", "cat.bob.2.png", "cat.ann.3.png", "odd.png")
    source = open_source(folder, None, {"label": r"^([a-z]+)\.[a-z]+\.\d", "group": r"\.([a-z]+)\.\d"})
    assert source.labels == ("cat", "dog")
    assert [(item.name, item.label, item.group) for item in source.items] == [
        ("cat.ann.3.png", 0, "ann"), ("cat.bob.2.png", 0, "bob"), ("dog.ann.1.png", 1, "ann"),
    ]  # fmt: skip
    assert [problem.name for problem in source.problems] == ["odd.png"]


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("(", "is no regular expression"),
        ("cat", "has no group"),
        (r"(\d\d\d)", "finds no class in any name: a.png is one"),
    ],
)
def test_expressions_that_cannot_be_used(pile: Pile, label: str, says: str) -> None:
    with pytest.raises(BrewError, match=says):
        open_source(pile("a.png"), "pictures", {"label": label})


def test_groups_that_are_in_no_name(pile: Pile) -> None:
    folder = pile("ann_1.png", "odd.png")
    with pytest.raises(BrewError, match=r"finds no group in any name: ann_1\.png is one"):
        open_source(folder, "pictures", {"group": r"speaker(\d)"})
    source = open_source(folder, "pictures", {"group": r"^(\w+)_"})
    assert list(source.notes) == ["pictures of no group by their names: odd.png"]
