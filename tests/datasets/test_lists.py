from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brew.datasets.sources.kinds import open_source
from brew.datasets.sources.lists import FileList
from brew.errors import BrewError, DataError

Pile = Callable[..., Path]


def opened(folder: Path, text: str | bytes, name: str = "list.txt", **options: str) -> FileList:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    source = open_source(folder / name, None, options)
    assert isinstance(source, FileList)
    return source


def shown(source: FileList) -> list[tuple[Any, ...]]:
    return [(item.name, item.label, *item.targets) for item in source.items]


CASES = {
    "as Caffe has it": ("a.png 3\nb.png 0\n", [("a.png", 3), ("b.png", 0)]),
    "BOM, CRLF, blank lines": ("\ufeffa.png 3\r\n\r\nb.png\t0\r\n", [("a.png", 3), ("b.png", 0)]),
    "blanks and quotes": ('my cat.png 1\n"b.png" 0\n', [("my cat.png", 1), ("b.png", 0)]),
    "several labels": ("a.png 1 0 1\nb.png 0 1 1\n", [("a.png", None, 1, 0, 1), ("b.png", None, 0, 1, 1)]),
    "float labels": ("a.png 0.5\nb.png 1\n", [("a.png", None, 0.5), ("b.png", None, 1)]),
    "names of classes": ("a.png dog\nb.png big cat\n", None),
    "no label": ("a.png\nb.png\n", [("a.png", None), ("b.png", None)]),
    "CSV": ("a.png,2\nb.png,1\n", [("a.png", 2), ("b.png", 1)]),
    "CSV with header": ("image,label,width\na.png,2,8\nb.png,1,8\n", [("a.png", 2), ("b.png", 1)]),
    "CSV, the name is not first": ("label;file\n2;a.png\n1;b.png\n", [("a.png", 2), ("b.png", 1)]),
    "TSV with blanks": ("my cat.png\tbig dog\nb.png\tant\n", [("my cat.png", 1), ("b.png", 0)]),
    "quotes in CSV": ('"my cat.png","a, ""b"""\nb.png,c\n', [("my cat.png", 0), ("b.png", 1)]),
    "columns of numbers": ("file,x,y2\na.png,1.5,2\nb.png,0,1e-3\n", [("a.png", None, 1.5, 2), ("b.png", None, 0, 0.001)]),
}  # fmt: skip


@pytest.mark.parametrize("case", [name for name, (_, items) in CASES.items() if items is not None])
def test_lists_of_every_form(pile: Pile, case: str) -> None:
    text, items = CASES[case]
    source = opened(pile("a.png", "b.png", "my cat.png"), text)
    assert shown(source) == items and not source.problems
    assert all(source.read(item).data[:4] == b"\x89PNG" for item in source.items)


def test_names_become_numbers_which_is_told(pile: Pile) -> None:
    source = opened(pile("a.png", "b.png"), "a.png dog\nb.png cat\n")
    assert shown(source) == [("a.png", 1), ("b.png", 0)] and source.labels == ("cat", "dog")
    assert list(source.notes) == ["labels were made of names: 0 = cat, 1 = dog"]


def test_columns_by_name(pile: Pile) -> None:
    text = "id,breed,age,weight,split,patient\na,dog,3,0.5,train,p1\nb,cat,4,2,test,p2\n"
    folder = pile("deep/a.png", "deep/b.png")
    options = {"root": str(folder / "deep"), "ending": ".png", "label": "breed", "targets": "age", "kind": "list"}
    (folder / "x.csv").write_text(text)
    source = open_source(folder / "x.csv", options.pop("kind"), options)
    [first, second] = source.items
    assert (first.name, first.label, first.targets, first.part, first.group) == ("a.png", 1, (3.0,), "train", "p1")
    assert (second.label, second.part, second.group) == (0, "test", "p2")
    assert source.target_names == ("age",)
    assert source.read(second).more["weight"].tolist() == [2.0]


def test_what_is_left_out_is_told(pile: Pile) -> None:
    source = opened(pile("a.png", "b.png"), "image,label,width,height\na.png,2,8,6\nb.png,1,8,6\n")
    assert list(source.notes) == ["columns left out: width, height (--set targets=NAME,... takes them)"]
    source = opened(pile("a.png"), "image,label,width,height\na.png,2,8,6\n", targets="all")
    assert source.items[0].targets == (8.0, 6.0) and source.target_names == ("width", "height")


def test_lines_that_are_wrong_are_problems_with_their_place(pile: Pile) -> None:
    source = opened(pile("a.png", "b.png"), "a.png,1,2.5\nb.png,1\nb.png,x,3\nb.png,2,nan\na.png,2,2\na.png,2,2\n")
    assert shown(source) == [("a.png", None, 1.0, 2.5), *[("a.png", None, 2.0, 2.0)] * 2]
    reasons = [problem.reason.removeprefix(f"{source.path}:") for problem in source.problems]
    assert reasons == [
        "2: 2 columns; 3 are expected",
        '3: "x" in the column 2 is no number',
        '4: "nan" in the column 3 is no finite number',
    ]


def test_a_label_that_is_a_slip_is_no_class(pile: Pile) -> None:
    source = opened(pile("a.png"), "image,label\n" + "a.png,1\n" * 20 + "a.png,l\na.png,\n")
    assert {item.label for item in source.items} == {1} and not source.labels
    assert [problem.reason.split(": ")[1] for problem in source.problems] == [
        'its label "l" is no whole number',
        "it has no label",
    ]


def test_a_number_with_an_underscore_is_a_name(pile: Pile) -> None:
    source = opened(pile("a.png", "b.png"), "a.png,1_0\nb.png,2_0\n")
    assert source.labels == ("1_0", "2_0") and [item.label for item in source.items] == [0, 1]
    weighted = opened(pile("a.png"), "file,weight\na.png,1_0\n")
    assert "is no number" in weighted.problems[0].reason


def test_quotes_that_swallow_lines(pile: Pile) -> None:
    folder = pile("a.png", "b.png", "c.png")
    with pytest.raises(DataError, match=r"list\.csv:2: a quote is opened here and never closed"):
        opened(folder, 'a.png,x\nb.png,"y\nc.png,x\n', "list.csv")
    source = opened(folder, 'a.png,x\nb.png,"y\nc.png,z"\nc.png,x\n', "list.csv")
    assert source.labels == ("x",) and len(source.items) == 2
    assert source.problems[0].reason.endswith(
        ":2: its name or its label goes on in the next line: is a quote left open?"
    )


def test_a_name_with_a_nul_is_a_problem(pile: Pile) -> None:
    source = opened(pile("a.png"), "a.png 0\n" * 600 + "a\0.png 1\n")
    assert len(source.items) == 600 and "no file has a name with a NUL" in source.problems[0].reason


def test_a_missing_picture_is_told_with_its_line(pile: Pile) -> None:
    source = opened(pile("a.png"), "a.png 1\nnowhere.png 2\n")
    with pytest.raises(DataError, match=r"list\.txt:2: .*nowhere\.png cannot be read: No such file"):
        source.read(source.items[1])


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("x.png 1\n", {}, r"there is no .*x\.png .*--set root=FOLDER"),
        ("a.png\tx\ty\n", {}, r"which of the columns 2, 3 is the class\?"),
        ("file,label\na.png,1\n", {"label": "lable"}, 'has no column "lable" .did you mean "label"'),
        ("a.png 1\n", {"lable": "2"}, 'has no option "lable" .did you mean "label"'),
        ('a.png,"x\n', {"kind": "list"}, None),
        ("a.png 1\n".encode("utf-16"), {"kind": "list"}, "is UTF-16"),
        ("", {"kind": "list"}, "holds no line"),
    ],
)
def test_lists_that_cannot_be_used(pile: Pile, text: str | bytes, options: dict[str, str], says: str | None) -> None:
    path = pile("a.png") / "list.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    kind = options.pop("kind", None)
    if says is None:
        open_source(path, kind, options)
        return
    with pytest.raises(BrewError, match=says):
        open_source(path, kind, options)
