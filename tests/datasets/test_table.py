"""Tables: what columns are found to be, what is made of a row, and the tables that people have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brew.datasets.features.preparation import preparation_of
from brew.datasets.features.table import TableRows
from brew.datasets.sources.kinds import open_source
from brew.errors import BrewError, DataError, UsageError

PEOPLE = """id,age,income,city,joined,flat,empty,label
p1,20,100,Rome,2024-01-01,7,,yes
p2,30,,Oslo,2024-01-03,7,,no
p3,40,300,,2024-01-05,7,,yes
p4,50,200,"Rome",2024-01-07,7,,no
"""


def opened(folder: Path, text: str | bytes, name: str = "t.csv", kind: str | None = None, **options: str) -> TableRows:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    source = open_source(folder / name, kind, options)
    assert isinstance(source, TableRows)
    return source


def rows(source: TableRows) -> list[list[float]]:
    source.fit(source.items)
    return [np.round(source.read(item).data, 4).tolist() for item in source.items]


def test_columns_are_found_standardised_and_told(tmp_path: Path) -> None:
    source = opened(tmp_path, PEOPLE, skip="id")
    assert source.labels == ("no", "yes") and [item.label for item in source.items] == [1, 0, 1, 0]
    # age, income (mean 200, deviation sqrt(20000 / 3)), joined, Oslo, Rome
    income = round(100 / np.sqrt(20000 / 3), 4)
    ages = [round(v / np.sqrt(5), 4) for v in (-3, -1, 1, 3)]
    assert rows(source) == pytest.approx(np.array([
        [ages[0], -income, ages[0], 0, 1], [ages[1], 0, ages[1], 1, 0],
        [ages[2], income, ages[2], 0, 0], [ages[3], 0, ages[3], 0, 1],
    ]), abs=2e-4)  # fmt: skip
    told = "; ".join(source.notes)
    for sentence in (
        '"flat" is left out: it holds nothing but "7"', '"empty" is left out: it is empty', "numbers: age, income",
        "dates, as days since 1970-01-01: joined", "missing values: income (1), city (1)",
    ):  # fmt: skip
        assert sentence in told


def test_names_as_ids_for_one_embed_layer(tmp_path: Path) -> None:
    text = "a,b,x,label\nred,small,1,0\nblue,big,2,1\n,small,3,0\nred,,4,1\n"
    source = opened(tmp_path, text, code="ids")
    source.fit(source.items)
    ids = [source.read(item).more["ids"].tolist() for item in source.items]
    assert ids == [[2, 5], [1, 4], [0, 5], [2, 3]]  # blue, red behind 0; big, small behind 3
    assert any("there are 6 ids" in note for note in source.notes)
    only = opened(tmp_path, text, code="ids", skip="x")
    only.fit(only.items)
    assert only.read(only.items[0]).data.tolist() == [2, 5] and not only.read(only.items[0]).more


def test_means_and_names_are_those_of_train_alone(tmp_path: Path) -> None:
    source = opened(tmp_path, "x,city,label,split\n1,Rome,0,train\n3,Oslo,1,train\n1000,Bonn,1,test\n")
    train = [item for item in source.items if item.part == "train"]
    assert [item.part for item in source.items] == ["train", "train", "test"]
    source.fit(train)
    assert source.read(source.items[2]).data.tolist() == [998, 0, 0]


def test_marks_of_missing_numbers(tmp_path: Path) -> None:
    source = opened(tmp_path, "x,y,label\n1,5,a\nNA,6,b\n3,?,a\n", marks="yes")
    assert [row[1::2] for row in rows(source)] == [[0, 0], [1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("text", "options", "labels", "targets"),
    [
        ("x,y\n1,0.5\n2,1.5\n3,2\n", {"target": "y"}, (), [(0.5,), (1.5,), (2,)]),
        ("x,y,z\n1,0,5\n2,1,6\n3,0,7\n", {"target": "y,z"}, (), [(0, 5), (1, 6), (0, 7)]),
        ("x,y\n1,0\n2,1\n3,0\n4,1\n", {"target": "y"}, ("0", "1"), [(), (), (), ()]),
        ("x,y\n1,0\n2,1\n3,0\n4,1\n", {"target": "y", "task": "value"}, (), [(0,), (1,), (0,), (1,)]),
        ("x,y\n1,7\n2,30\n", {"target": "y", "task": "class"}, ("7", "30"), [(), ()]),
        ("x,y\n1,7\n2,30\n", {"target": "none"}, (), [(), ()]),
        ("1,7\n2,30\n", {"target": "2"}, (), [(7,), (30,)]),
    ],
)
def test_what_is_predicted(
    tmp_path: Path, text: str, options: dict[str, str], labels: tuple[str, ...], targets: list[tuple[float, ...]]
) -> None:
    source = opened(tmp_path, text, **options)
    assert source.labels == labels and [item.targets for item in source.items] == targets
    assert all((item.label is None) != bool(labels) for item in source.items)


FORMS = {
    "BOM, CRLF": "\ufeffx,label\r\n1,a\r\n2,b\r\n",
    "semicolons": "x;label\n1;a\n2;b\n",
    "tabs": "x\tlabel\n1\ta\n2\tb\n",
    "quotes": '"x","label"\n"1","a"\n" 2 ","b"\n',
    "line ends and delimiters in quotes": '"x","a\n;note","label"\n1,"m\nn, o",a\n2,"m\nn, o",b\n',
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_tables(tmp_path: Path, form: str) -> None:
    source = opened(tmp_path, FORMS[form])
    assert rows(source) == [[-1], [1]] and source.labels == ("a", "b")


def test_decimal_commas_are_told_and_read(tmp_path: Path) -> None:
    text = "x;label\n1,5;a\n1.002,5;b\n"
    with pytest.raises(DataError, match=r'"x" has decimal commas \("1,5"\).*decimal=comma'):
        opened(tmp_path, text)
    source = opened(tmp_path, text, decimal="comma")
    source.fit(source.items)
    assert preparation_of(source.preparation).prepare({"x": "502,0"})["data"].tolist() == [0]


def test_a_column_of_numbers_with_mistakes_is_told_and_can_be_settled(tmp_path: Path) -> None:
    text = "x,label\n" + "".join(f"{i},{i % 2}\n" for i in range(30)) + "oops,1\n"
    with pytest.raises(DataError, match=r'"x" holds numbers, but for 1 of 31 cells: "oops" in line 32'):
        opened(tmp_path, text)
    assert rows(opened(tmp_path, text, numbers="x"))[30] == [0]
    assert len(rows(opened(tmp_path, text, names="x"))[0]) == 31


def test_rows_that_can_be_no_records_are_problems(tmp_path: Path) -> None:
    source = opened(tmp_path, "x,label\n1,a\n2\n3,b\n4,\n")
    assert [(p.name, p.reason) for p in source.problems] == [
        ("line3", "it has 1 columns; 2 are expected"), ("line5", 'its class, "label", is missing'),
    ]  # fmt: skip
    assert [item.name for item in source.items] == ["line2", "line4"]


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("x,z\n1,2\n", {}, "which column is to be predicted"),
        ("x,y\n1,2\n", {"target": "z"}, 'no column "z"'),
        ("x,label\n1,a\n2,a\n", {}, 'holds only "a"'),
        ("x,y\na,1.5\na,2.5\n", {"target": "y"}, "no column that records could be made of"),
        ("x,label\n1,a\n2,b\n", {"code": "hot"}, "onehot or ids is expected"),
        ("x,y\n1,a\n2,b\n", {"target": "y", "task": "value"}, "no values to predict"),
        ("x,label\n1,a\n2,b\n", {"numbers": "x,x"}, "named twice"),
        (b"\xff\xfex\0,\0", {"kind": "table"}, "UTF-16"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told(tmp_path: Path, text: str | bytes, options: dict[str, str], told: str) -> None:
    with pytest.raises(BrewError, match=told):
        opened(tmp_path, text, **options)


def test_a_column_of_names_of_its_own_for_every_row_is_left_out(tmp_path: Path) -> None:
    text = "name,x,label\n" + "".join(f"n{i},{i},{'ab'[i % 2]}\n" for i in range(120))
    source = opened(tmp_path, text)
    assert len(rows(source)[0]) == 1 and '"name" is left out: it has 120 different names' in source.notes[0]
    assert len(rows(opened(tmp_path, text, names="name"))[0]) == 121


def test_a_row_for_a_trained_net(tmp_path: Path) -> None:
    source = opened(tmp_path, PEOPLE, skip="id")
    source.fit(source.items)
    prepare = preparation_of(source.preparation)
    row = {"age": 20, "income": 100.0, "city": "Rome", "joined": "2024-01-01"}
    np.testing.assert_array_equal(prepare.prepare(row)["data"], source.read(source.items[0]).data)
    absent = prepare.prepare({"age": "40", "income": float("nan"), "city": "Atlantis", "joined": None})["data"]
    assert absent[1:].tolist() == [0, 0, 0, 0]
    assert prepare.shapes == {"data": (5,)}
    for wrong, told in (
        ({"age": "old"}, '"age" is .old.; a number'),
        ({"AGE": 3}, "none of the columns"),
        ([1, 2], "no row"),
    ):
        with pytest.raises(UsageError, match=told):
            prepare.prepare(wrong)
