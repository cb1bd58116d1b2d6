"""Files that must be refused; what is read from good ones is in tests/layers/test_hdf5_data.py."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from brew.data.hdf5.source import HDF5Files, read_list
from brew.errors import DataError

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def write(tmp_path):
    """`write(make)`: a file that holds `label` and whatever `make` puts into it."""

    def write(make):
        path = tmp_path / "data.h5"
        with h5py.File(path, "w") as h5:
            h5["label"] = np.zeros(4)
            make(h5)
        return path

    return write


def external_link(h5):
    h5["data"] = h5py.ExternalLink("other.h5", "/data")


def soft_link(h5):
    h5["kept"] = ROWS
    h5["data"] = h5py.SoftLink("/kept")


def external_storage(h5):
    h5.create_dataset("data", (4, 3), "f4", external=[("/etc/hostname", 0, 48)])


def virtual(h5):
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "data", (4, 3))
    h5.create_virtual_dataset("data", layout)


def bomb(h5):
    h5.create_dataset("data", (4, 1 << 40), "f4", chunks=(1, 1 << 10))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (external_link, "/data is an external link"),
        (soft_link, "/data is a soft link"),
        (external_storage, "/data is stored in other files"),
        (virtual, "/data is a virtual dataset"),
        (bomb, "/data says it is 4 x 1099511627776"),
        (lambda h5: h5.create_group("data"), "/data is a group"),
        (lambda h5: h5.create_dataset("data", data=3.0), "/data is a single value"),
        (lambda h5: h5.create_dataset("data", data=[b"a", b"b", b"c", b"d"]), "numbers are needed"),
        (lambda h5: h5.create_dataset("data", data=ROWS[:3]), '"label" has 4 rows, dataset "data" has 3'),
        (lambda h5: h5.create_dataset("x", data=ROWS), 'there is no dataset "data" .* it holds "label", "x"'),
    ],
)
def test_refused(write, make, what):
    path = write(make)
    with pytest.raises(DataError, match=what) as error:
        HDF5Files.examine([path], ["data", "label"])
    assert str(path) in str(error.value)


def test_a_link_on_the_way(write):
    def make(h5):
        h5["group"] = h5py.ExternalLink("other.h5", "/")

    with pytest.raises(DataError, match="/group is an external link"):
        HDF5Files.examine([write(make)], ["group/data"])


def test_a_dataset_in_a_group(write):
    path = write(lambda h5: h5.create_dataset("group/data", data=ROWS))
    assert HDF5Files.examine([path], ["group/data"]).row_shapes == [(3,)]


def test_no_rows_at_all(write):
    with pytest.raises(DataError, match="not one row"):
        HDF5Files.examine([write(lambda h5: h5.create_dataset("data", (0, 3), "f4"))], ["data"])


def test_rows_of_different_shapes(write, tmp_path):
    first = write(lambda h5: h5.create_dataset("data", data=ROWS)).rename(tmp_path / "first.h5")
    second = write(lambda h5: h5.create_dataset("data", data=ROWS[:, :2]))
    with pytest.raises(DataError, match=r'data.h5: a row of dataset "data" is 2, in .*first.h5 it is 3'):
        HDF5Files.examine([first, second], ["data"])


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n"])
def test_no_hdf5_file(tmp_path, content):
    (tmp_path / "f.h5").write_bytes(content)
    with pytest.raises(DataError, match=r"f.h5 cannot be opened as HDF5"):
        HDF5Files.examine([tmp_path / "f.h5"], ["data"])


def test_truncated(write):
    path = write(lambda h5: h5.create_dataset("data", data=np.zeros((4, 5000))))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"data.h5 cannot be opened"):
        HDF5Files.examine([path], ["data"])


def test_the_list_of_files(tmp_path):
    (tmp_path / "a b.h5").write_bytes(b"")
    (tmp_path / "list.txt").write_text("a b.h5\n\n  a b.h5  \n")
    assert read_list(tmp_path / "list.txt", what="source", place=None) == [tmp_path / "a b.h5"] * 2
    (tmp_path / "list.txt").write_text("a b.h5\nnowhere.h5\n")
    with pytest.raises(DataError, match=r"list.txt:2: source: there is no nowhere.h5"):
        read_list(tmp_path / "list.txt", what="source", place=None)
    (tmp_path / "list.txt").write_text(" \n")
    with pytest.raises(DataError, match="names no file"):
        read_list(tmp_path / "list.txt", what="source", place=None)
    (tmp_path / "list.txt").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match="is it an HDF5 file itself"):
        read_list(tmp_path / "list.txt", what="source", place=None)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("\ufeffa.h5\r\nb.h5 \t\r\n", ["a.h5", "b.h5"]),
        ("a.h5\rb.h5\r", ["a.h5", "b.h5"]),
        ("a.h5 b.h5\n\n\tb.h5", ["a.h5", "b.h5", "b.h5"]),  # Caffe reads words
        ("a b.h5\n", ["a b.h5"]),
    ],
)
def test_the_list_in_other_spellings(tmp_path, text, names):
    for name in ("a.h5", "b.h5", "a b.h5"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "list.txt").write_text(text, "utf-8", newline="")
    assert read_list(tmp_path / "list.txt", what="source", place=None) == [tmp_path / name for name in names]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("# my files", "no comments"),
        ('"a.h5"', "without quotes"),
        ("a.h5 0", "no labels"),
        ("a.h5,", "no comma"),
    ],
)
def test_names_that_look_like_something_else(tmp_path, text, hint):
    (tmp_path / "a.h5").write_bytes(b"")
    (tmp_path / "list.txt").write_text(f"a.h5\n{text}\n")
    with pytest.raises(DataError, match=hint) as error:
        read_list(tmp_path / "list.txt", what="source", place=None)
    assert error.value.place.line == 2
