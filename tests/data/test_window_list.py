from __future__ import annotations

import re

import pytest

from brew.data.window_list import WindowList
from brew.errors import DataError

GOOD = """# 0
a b.png
3
6
8
3
2 0.9 0 0 3 3
1 0.5 1 1 2 2
4 0.49 5 5 6 6

# 1
c.png
3
6
8
1
3 0.1 0 1 2 3
"""


def read(tmp_path, text, **thresholds):
    (tmp_path / "w.txt").write_text(text)
    return WindowList.read(tmp_path / "w.txt", what="source", **{"fg_threshold": 0.5, "bg_threshold": 0.5} | thresholds)


def test_objects_and_background(tmp_path):
    windows = read(tmp_path, GOOD)
    assert windows.names == ["a b.png", "c.png"]
    assert windows.lines == [2, 12]
    objects, background = windows.foreground, windows.background
    assert objects.label.tolist() == [2, 1]
    assert objects.box.tolist() == [[0, 0, 3, 3], [1, 1, 2, 2]]
    assert background.label.tolist() == [0, 0]
    assert background.image.tolist() == [0, 1]
    assert background.line.tolist() == [9, 17]


def test_between_the_thresholds_is_neither(tmp_path):
    windows = read(tmp_path, GOOD, bg_threshold=0.3, fg_threshold=0.6)
    assert windows.foreground.label.tolist() == [2]
    assert windows.background.line.tolist() == [17]


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("# 1", "1", 11, 'begin an image, here stands "1"'),
        ("c.png\n3\n6", "c.png\n3\nsix", 14, 'height must be a number, here stands "six"'),
        ("1 0.5 1 1 2 2", "1 0.5 1 1 2", 8, "class, overlap, x1"),
        ("1 0.5 1 1 2 2", "1 0.5 1 1.5 2 2", 8, "class, overlap, x1"),
        ("1 0.5 1 1 2 2", "1 nan 1 1 2 2", 8, "class, overlap, x1"),
        ("1 0.5 1 1 2 2", "0 0.5 1 1 2 2", 8, "an object of class 0"),
        ("1 0.5 1 1 2 2", "-1 0.5 1 1 2 2", 8, "an object of class -1"),
        ("1 0.5 1 1 2 2", "0.5 0.5 1 1 2 2", 8, "class, overlap, x1"),
        ("1 0.5 1 1 2 2", "cat 0.5 1 1 2 2", 8, "class, overlap, x1"),
        ("1 0.5 1 1 2 2", "3000000000 0.5 1 1 2 2", 8, "class, overlap, x1"),
        ("1 0.5 1 1 2 2", "1 0.5 1 1 2 1e300", 8, "class, overlap, x1"),
        ("1 0.5 1 1 2 2", "1 0.5 1 1 2 2 7", 8, "class, overlap, x1"),
        ("8\n1\n", "8\n1" + "0" * 5000 + "\n", 16, "number of windows must be a number"),
        ("8\n1\n", "8\n2\n", 17, "the file ends here; 2 windows are expected"),
        ("# 1\nc.png\n3\n6\n8\n1\n3 0.1 0 1 2 3\n", "# 1\nc.png\n3\n", 13, "the file ends here; an image's path"),
    ],
)
def test_what_is_wrong_is_placed(tmp_path, old, new, line, what):
    assert old in GOOD
    with pytest.raises(DataError, match=rf"w.txt:{line}: source: .*{re.escape(what)}"):
        read(tmp_path, GOOD.replace(old, new))


def test_other_spellings_of_the_same(tmp_path):
    plain = read(tmp_path, GOOD)
    spelt = "\ufeff" + GOOD.replace("\n", " \t\r\n").replace("3 0.1 0", "\t3  0.1\t0")
    (tmp_path / "w.txt").write_text(spelt, "utf-8", newline="")
    windows = WindowList.read(tmp_path / "w.txt", what="source", fg_threshold=0.5, bg_threshold=0.5)
    assert windows.names == plain.names and windows.lines == plain.lines
    assert windows.background.box.tolist() == plain.background.box.tolist()


def test_an_empty_file(tmp_path):
    with pytest.raises(DataError, match="names no image"):
        read(tmp_path, "\n")
