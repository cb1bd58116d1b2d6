from __future__ import annotations

import os
from pathlib import Path

import pytest

from brew.datasets.sources.folders import ClassFolders
from brew.datasets.sources.kinds import open_source
from brew.datasets.sources.trees import class_order, class_tree
from brew.errors import DataError, UsageError


def shown(names: str) -> list[tuple[str, int | None, str | None]]:
    return [(item.name, item.label, item.part) for item in class_tree(names.split()).items]


@pytest.mark.parametrize(
    ("names", "items"),
    [
        ("dog/1.jpg cat/2.png cat/deep/3.PNG", [("cat/2.png", 0, None), ("cat/deep/3.PNG", 0, None), ("dog/1.jpg", 1, None)]),
        ("set/dog/1.jpg set/cat/2.jpg", [("set/cat/2.jpg", 0, None), ("set/dog/1.jpg", 1, None)]),
        ("only/1.jpg only/2.jpg", [("only/1.jpg", 0, None), ("only/2.jpg", 0, None)]),
        ("s/Train/b/1.jpg s/valid/a/2.jpg s/test/3.jpg",
         [("s/Train/b/1.jpg", 1, "train"), ("s/test/3.jpg", None, "test"), ("s/valid/a/2.jpg", 0, "val")]),
        ("train/a/1.jpg other/a/1.jpg x.jpg", [("train/a/1.jpg", 0, "train")]),
        ("train/a/1.jpg", [("train/a/1.jpg", 0, "train")]),
        ("10/a.jpg 9/a.jpg", [("10/a.jpg", 1, None), ("9/a.jpg", 0, None)]),
    ],
)  # fmt: skip
def test_names_tell_parts_and_classes(names: str, items: list[tuple[str, int | None, str | None]]) -> None:
    assert shown(names) == items


def test_what_is_left_out_is_told() -> None:
    tree = class_tree(["a/1.jpg", "a/.hidden.jpg", "readme.md", "top.jpg"])
    assert tree.notes == (
        "2 files left out, no pictures by their names: a/.hidden.jpg, readme.md",
        "1 file left out, in no class folder: top.jpg",
    )
    assert class_order(["b", "a", "b", "ä", "10"]) == ("10", "a", "b", "ä")


def test_a_folder_is_read(tmp_path: Path) -> None:
    for name in ("b/1.jpg", "a/x/2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "a" / "round").symlink_to(tmp_path)
    source = open_source(tmp_path)
    assert isinstance(source, ClassFolders) and source.labels == ("a", "b")
    assert [source.read(item).data for item in source.items] == [b"a/x/2.jpg", b"b/1.jpg"]
    first = source.items[0]
    before = source.stamp(first)
    (tmp_path / first.name).write_bytes(b"longer than before")
    assert source.stamp(first) != before and source.size(first) == 18
    (tmp_path / first.name).unlink()
    os.mkfifo(tmp_path / first.name)
    with pytest.raises(DataError, match=r"2\.jpg cannot be read: this is a FIFO"):
        source.read(first)


def test_what_is_no_source_is_told_with_what_could_be(tmp_path: Path) -> None:
    (tmp_path / "notes.dat").write_text("x")
    with pytest.raises(DataError, match=r"no kind .*holds notes\.dat .*a folder with a folder of pictures"):
        open_source(tmp_path)
    with pytest.raises(DataError, match="there is no"):
        open_source(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="did you mean"):
        open_source(tmp_path, "folder")
    with pytest.raises(DataError, match=r"no pictures in class folders \(1 file left out"):
        open_source(tmp_path, "folders")
