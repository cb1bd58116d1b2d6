"""Texts: units and vocabularies, class folders, tables, and long texts in windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from brew.datasets.features.preparation import preparation_of
from brew.datasets.features.text import Texts
from brew.datasets.sources.kinds import open_source
from brew.errors import BrewError, UsageError


def opened(path: Path, **options: str) -> Texts:
    source = open_source(path, "text", options)
    assert isinstance(source, Texts)
    return source


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    path.write_text('text,label\n"good, very good",pos\nbad,neg\nGood bad,neg\n')
    return path


def test_words_of_a_table_with_classes(reviews: Path) -> None:
    source = opened(reviews, length="5")
    source.fit(source.items)
    assert source.labels == ("neg", "pos") and [item.label for item in source.items] == [1, 0, 0]
    assert source.preparation["vocabulary"] == "good bad , very"  # type: ignore[index]  # by frequency, then by letters
    first, second = (source.read(item) for item in source.items[:2])
    assert first.data.tolist() == [0, 2, 4, 5, 2] and first.more["cont"].tolist() == [0, 0, 1, 1, 1]
    assert second.data.tolist() == [0, 0, 0, 0, 3] and second.more["cont"].tolist() == [0] * 5
    assert any("4 of 4 units of train are known; input_dim of an Embed layer: 6" in note for note in source.notes)


def test_the_vocabulary_is_of_train_and_bounded(reviews: Path) -> None:
    source = opened(reviews, length="4", pad="end", vocabulary="2")
    source.fit(source.items[:1])
    assert source.preparation["vocabulary"] == "good ,"  # type: ignore[index]
    assert source.read(source.items[2]).data.tolist() == [2, 1, 0, 0]
    rare = opened(reviews, minimum="2")
    rare.fit(rare.items)
    assert rare.preparation["vocabulary"] == "good bad"  # type: ignore[index]


def test_class_folders(tmp_path: Path) -> None:
    for name, text in (("a/1.txt", "one two"), ("b/2.txt", "three"), ("b/3.txt", "")):
        (tmp_path / "pile" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pile" / name).write_text(text)
    source = open_source(tmp_path / "pile")
    assert isinstance(source, Texts) and source.labels == ("a", "b")
    source.fit(source.items)
    assert source.read(source.items[0]).data[-2:].tolist() == [2, 4]
    with pytest.raises(BrewError, match="it holds no text"):
        source.read(source.items[2])


def test_a_long_text_whose_next_unit_is_predicted(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("abcabcabca")
    source = opened(tmp_path / "book.txt", length="4")
    source.fit(source.items)
    assert source.preparation["vocabulary"] == "abc"  # type: ignore[index]
    shown = [(content.data.tolist(), content.more["next"].tolist(), content.more["cont"].tolist())
             for content in map(source.read, source.items)]  # fmt: skip
    assert shown == [
        ([2, 3, 4, 2], [3, 4, 2, 3], [0, 1, 1, 1]),
        ([3, 4, 2, 3], [4, 2, 3, 4], [0, 1, 1, 1]),
        ([4, 0, 0, 0], [2, -1, -1, -1], [0, 0, 0, 0]),
    ]


def test_parts_of_a_long_text_share_no_unit(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("x" * 100)
    source = opened(tmp_path / "book.txt", length="5", stride="1", test_last="0.2")
    spans: dict[str, set[int]] = {}
    for item in source.items:
        start = int(item.name.split("@")[1])
        spans.setdefault(str(item.part), set()).update(range(start, min(start + 6, 100)))
    assert spans == {"train": set(range(80)), "test": set(range(80, 100))}


def test_lines_are_texts_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Ann\n\nBob\r\n")
    source = opened(tmp_path / "names.txt", lines="yes", length="8")
    assert [item.name for item in source.items] == ["line1@0", "line3@0"]
    source.fit(source.items)
    assert source.preparation["vocabulary"] == "nABbo"  # type: ignore[index]


@pytest.mark.parametrize(
    ("content", "options", "told"),
    [
        (b"\xff\xfe\x00", {}, "no text in UTF-8"),
        (b"", {}, "no text"),
        (b"x", {}, "no text of two units"),
        (b"some text", {"predict": "class"}, "a source with classes"),
        (b"some text", {"units": "letters"}, "characters or words is expected"),
        (b"some text", {"length": "0"}, "a whole number from 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told(tmp_path: Path, content: bytes, options: dict[str, str], told: str) -> None:
    (tmp_path / "book.txt").write_bytes(content)
    with pytest.raises(BrewError, match=told):
        opened(tmp_path / "book.txt", **options)


@pytest.mark.parametrize("units", ["words", "characters"])
def test_a_text_for_a_trained_net(tmp_path: Path, reviews: Path, units: str) -> None:
    source = opened(reviews, length="12", units=units, crop="start")
    source.fit(source.items)
    prepare = preparation_of(source.preparation)
    (tmp_path / "one.txt").write_text("good, very good")
    for thing in ("good, very good", tmp_path / "one.txt"):
        assert prepare.prepare(thing)["data"].tolist() == source.read(source.items[0]).data.tolist()
    with pytest.raises(UsageError, match="a int is no text"):
        prepare.prepare(3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"test_last": "0.2"}, "predict=next is expected"),
        ({"stride": "3"}, "predict=next is expected"),
        ({"lines": "yes"}, "one text file is expected"),
    ],
)
def test_options_that_would_do_nothing(reviews: Path, options: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        opened(reviews, **options)


def test_an_empty_text_among_long_ones_is_a_problem(tmp_path: Path) -> None:
    for name, content in (("a.txt", "one two three"), ("b.txt", "")):
        (tmp_path / "pile").mkdir(exist_ok=True)
        (tmp_path / "pile" / name).write_text(content)
    source = opened(tmp_path / "pile")
    assert [problem.name for problem in source.problems] == ["b.txt"] and source.items
