"""Lists of images: what each spelling of a line means, and what is said of those that mean nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brew.checks.files import check as check_file
from brew.checks.records.check import check
from brew.checks.states import Options
from brew.data.image_list import ImageList
from brew.errors import DataError
from brew.layer import TEST
from brew.net.net import Net
from brew.tools.cli import main

FAULT = Path(__file__).parents[1] / "fixtures" / "faults" / "11"

RIGHT = {  # a line (or several) and what it means
    "a.png 7": [("a.png", 7)],
    "a b c.png 3": [("a b c.png", 3)],
    "a.png -1": [("a.png", -1)],
    "a.png +2": [("a.png", 2)],
    "a.png 2147483647": [("a.png", 2147483647)],
    "a.png 3.0": [("a.png", 3)],
    "a.png 3 ": [("a.png", 3)],
    "a.png 3 \t  ": [("a.png", 3)],
    "a.png    3": [("a.png", 3)],
    "a.png\t3": [("a.png", 3)],
    "my dir/a.png \t 3": [("my dir/a.png", 3)],
    "\ufeffa.png 3": [("a.png", 3)],
    "a.png 3\r\nb.png 4\r\n": [("a.png", 3), ("b.png", 4)],
    "a.png 3\rb.png 4\r": [("a.png", 3), ("b.png", 4)],
    "\n a.png 3\n\n  \n\tb.png 4\n\n": [(" a.png", 3), ("\tb.png", 4)],
    "é\u3000.png 3": [("é\u3000.png", 3)],
    "# a.png 3": [("# a.png", 3)],
    "a.png 1 2": [("a.png 1", 2)],
}

WRONG = {  # a line, what is said, and the remedy
    "a.png": ("there is no label", "write the label behind"),
    "my dir/a.png": ('"dir/a.png" is no label', "is the label missing"),
    "a.png cat": ('"cat" is no label', "number the classes from 0"),
    "a.png 0.75": ('"0.75" is no label', "HDF5Data"),
    "a.png 3.2": ('"3.2" is no label', "HDF5Data"),
    "a.png NaN": ('"NaN" is no label', "HDF5Data"),
    "a.png 1e2": ('"1e2" is no label', "HDF5Data"),
    "a.png 0x10": ('"0x10" is no label', "number the classes"),
    "a.png 3abc": ('"3abc" is no label', "number the classes"),
    "a.png 0.5 0.25": ('"0.25" is no label', "takes several"),
    "a.png 0,1,1": ('"0,1,1" is no label', "takes several"),
    "a.png 1 2 cat": ('"cat" is no label', "takes several"),
    'a.png "3"': ("is no label", "without quotes"),
    "a.png,3": ("there is no label", "not a comma"),
    "3": ("there is no label", "write the label"),
    "# the first of my lists": ('"lists" is no label', "no comments"),
    "a.png 2147483648": ("2147483648 does not fit into 32 bits", ""),
    "a.png -2147483649": ("-2147483649 does not fit into 32 bits", ""),
    "a.png 99999999999999": ("99999999999999 does not fit into 32 bits", ""),
    "a.png 1" + "0" * 5000: ("is no label", ""),
    "a.png 3\ttrain": ('"train" is no label', "takes several"),
}

MISSING = {  # what may be called so, and is not
    "a.png 1 2": "takes several",
    "a.png 0.5 1": "takes several",
    '"a.png" 3': "without quotes",
    "a.png, 3": "no comma",
    "# a.png 3": "no comments",
    "  a.png 3": "blanks before the name",
}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a list beside a.png and a net that reads it, which are in the working directory."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save("a.png")
    layer = 'name: "d" type: "ImageData" top: "x" top: "y" image_data_param { source: "list.txt" batch_size: 1 }'
    silence = 'layer { name: "s" type: "Silence" bottom: "x" bottom: "y" }'
    Path("net.prototxt").write_text(f"layer {{ {layer} }}\n{silence}\n")

    def write(text: str) -> Path:
        Path("list.txt").write_bytes(text.encode())
        return Path("list.txt")

    return write


@pytest.mark.parametrize("text", RIGHT)
def test_lines_that_are_read(write: Callable[[str], Path], text: str):
    images = ImageList.read(write(text), what="source")
    assert list(zip(images.names, images.labels.tolist(), strict=True)) == RIGHT[text]


@pytest.mark.parametrize("text", WRONG)
def test_lines_that_mean_nothing(write: Callable[[str], Path], text: str):
    message, hint = WRONG[text]
    with pytest.raises(DataError) as caught:
        ImageList.read(write(f"a.png 1\n\n{text}\n"), what="source")
    assert str(caught.value.place) == "list.txt:3"
    assert message in caught.value.message and hint in (caught.value.hint or "")
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("text", MISSING)
def test_names_that_look_like_something_else(write: Callable[[str], Path], text: str):
    write(text)
    with pytest.raises(DataError) as caught:
        Net("net.prototxt", TEST)
    assert str(caught.value.place) == "list.txt:1" and MISSING[text] in str(caught.value.hint)
    write(f"a.png 1\n{text}\n")
    net = Net("net.prototxt", TEST)
    net.forward()
    with pytest.raises(DataError) as caught:
        net.forward()
    net.close()
    assert str(caught.value.place) == "list.txt:2" and MISSING[text] in str(caught.value.hint)
    [report] = check(["list.txt"])
    assert report.bad == 1 and MISSING[text] in report.bad_records[0].reason


def test_a_file_called_like_a_mistake_is_read(write: Callable[[str], Path]):
    write("a.png 1 2\n")
    shutil.copy("a.png", "a.png 1")
    net = Net("net.prototxt", TEST)
    net.forward()
    assert net.blobs["y"].data.tolist() == [2]
    net.close()


def test_a_name_that_no_system_takes(write: Callable[[str], Path]):
    write(f"a.png 1\n{'a' * 300}.png 2\n")
    net = Net("net.prototxt", TEST)
    net.forward()
    with pytest.raises(DataError, match="too long"):
        net.forward()
    net.close()


def test_no_text(write: Callable[[str], Path]):
    path = write("")
    for content, what in (
        ("a.png 1".encode("utf-16"), "UTF-16"),
        (b"a\0b", "no text"),
        (b"\x89PNG\r\n", "a PNG image"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=what):
            ImageList.read(path, what="source")


def test_all_commands_say_the_same(write: Callable[[str], Path], capsys: pytest.CaptureFixture[str]):
    write("a.png 1\na.png cat\na.png 2\na.png\n")
    [error] = [f for f in check_file("net.prototxt", Options()) if f.severity == "error"]
    assert str(error.place) == "list.txt:2" and '"cat" is no label' in error.message
    Path("solver.prototxt").write_text('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 1\n')
    with pytest.raises(SystemExit, match="3"):
        main(["train", "--solver", "solver.prototxt"])
    said = capsys.readouterr().err
    assert 'layer "d" (ImageData): source: "cat" is no label' in said and "list.txt:2" in said
    [report] = check(["list.txt"])
    assert (report.checked, report.bad, report.labels) == (4, 2, (1, 2))
    assert [bad.record for bad in report.bad_records] == ["list.txt:2", "list.txt:4"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("list.txt", "99999999999999 does not fit into 32 bits"),
        ("list_float.txt", '"0.75" is no label'),
        ("list_nolabel.txt", "there is no label"),
        ("list_words.txt", '"cat" is no label'),
    ],
)
def test_the_lists_that_were_taken_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str):
    shutil.copytree(FAULT, tmp_path / "11")
    monkeypatch.chdir(tmp_path)
    text = Path("11/net.prototxt").read_text().replace("11/list.txt", f"11/{name}")
    Path("11/net.prototxt").write_text(text)
    [error] = [f for f in check_file("11/net.prototxt", Options()) if f.severity == "error"]
    assert str(error.place) == f"11/{name}:1" and message in error.message
