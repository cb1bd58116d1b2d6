from __future__ import annotations

import errno
import gzip
import hashlib

import numpy as np
import pytest

from brew.data.databases.lmdb_appender import LmdbAppender
from brew.data.databases.opening import open_database
from brew.data.datum import ImageRule, decode, decode_batch
from brew.data.sets import known as datasets
from brew.errors import DataError, ResourceError, UsageError


def content(folder):
    database = open_database(folder)
    keys = [key for key, _ in database.scan(0)]
    images, labels = decode_batch(list(database.scan(0)), ImageRule())
    database.close()
    return keys, images, labels


def test_digits(tmp_path):
    seen = []
    train, test = datasets.get("digits", tmp_path, progress=lambda *a: seen.append(a))
    assert (train, test) == (tmp_path / "digits_train_lmdb", tmp_path / "digits_test_lmdb")
    assert ("digits_test_lmdb", 360, 360) in seen
    keys, images, labels = content(train)
    assert (keys[0], keys[-1], images.shape) == (b"00000000", b"00001436", (1437, 1, 8, 8))
    assert (images.min(), images.max()) == (0, 255)
    assert content(test)[1].shape == (360, 1, 8, 8)
    assert np.bincount(labels).min() > 130  # every digit, in mixed order
    assert len(set(labels[:50].tolist())) == 10


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def small_mnist(monkeypatch):
    """Two training images and one for the test, with a catalogue that expects them."""
    random = np.random.default_rng(0)
    files = {
        "train-images-idx3-ubyte": idx(random.integers(0, 256, (2, 28, 28))),
        "train-labels-idx1-ubyte": idx(np.array([7, 3])),
        "t10k-images-idx3-ubyte": idx(random.integers(0, 256, (1, 28, 28))),
        "t10k-labels-idx1-ubyte": idx(np.array([9])),
    }
    expected = {n: {"size": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in files.items()}
    known = {"mnist": {"mirrors": ["http://127.0.0.1:1/"], "files": expected}}
    monkeypatch.setattr(datasets, "catalogue", lambda: known)
    return files


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_from_a_folder(small_mnist, tmp_path, packed):
    for name, data in small_mnist.items():
        path = tmp_path / (f"{name}.gz" if packed else name)
        path.write_bytes(gzip.compress(data) if packed else data)
    train, test = datasets.get("mnist", tmp_path / "out", from_folder=tmp_path)
    keys, images, labels = content(train)
    assert keys == [b"00000000", b"00000001"]
    assert images.tobytes() == small_mnist["train-images-idx3-ubyte"][16:]
    assert labels.tolist() == [7, 3]
    assert content(test)[2].tolist() == [9]
    database = open_database(test)
    assert decode(database.first())[0].shape == (1, 28, 28)
    database.close()


def test_mnist_that_cannot_be_had(small_mnist, tmp_path):
    with pytest.raises(DataError, match="has neither train-images-idx3-ubyte nor"):
        datasets.get("mnist", tmp_path, from_folder=tmp_path)
    with pytest.raises(DataError, match="could not be downloaded"):
        datasets.get("mnist", tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"x" * 10)
    with pytest.raises(DataError, match="10 bytes, 1584 are expected"):
        datasets.get("mnist", tmp_path, from_folder=tmp_path)


@pytest.mark.parametrize("stays", [False, True])
def test_downloads_stay_for_a_later_call_unless_the_disk_is_full(small_mnist, tmp_path, monkeypatch, stays):
    def fail(mirrors, file, folder, progress):
        if "labels" in file.name:
            raise DataError("no mirror has it") if stays else ResourceError("no room")
        (folder / f"{file.name}.gz").write_bytes(b"")
        (folder / "train-labels-idx1-ubyte.gz.part").write_bytes(b"")

    monkeypatch.setattr(datasets, "download", fail)
    with pytest.raises((DataError, ResourceError)):
        datasets.get("mnist", tmp_path / "new")
    left = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz.part"]
    assert sorted(path.name for path in tmp_path.rglob("*.*z*")) == (left if stays else [])
    assert (tmp_path / "new").exists() == stays


def test_both_databases_or_neither(tmp_path, monkeypatch):
    datasets.get("digits", tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.mdb")}
    put = LmdbAppender.put

    def full(database, key, value):
        if "digits_test" in database._file.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(database, key, value)

    monkeypatch.setattr(LmdbAppender, "put", full)
    with pytest.raises(ResourceError, match=r"digits_test_lmdb cannot be written: .*No space left"):
        datasets.get("digits", tmp_path, overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.mdb")} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits_test_lmdb", "digits_train_lmdb"]
    with pytest.raises(ResourceError):
        datasets.get("digits", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_nothing_is_fetched_for_a_target_in_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "download", lambda *a: pytest.fail("downloads"))
    (tmp_path / "mnist_test_lmdb").mkdir()
    (tmp_path / "mnist_test_lmdb/data.mdb").write_bytes(b"mine")
    with pytest.raises(DataError, match="mnist_test_lmdb is already there"):
        datasets.get("mnist", tmp_path)


def test_unknown_name(tmp_path):
    with pytest.raises(UsageError, match='did you mean "mnist"'):
        datasets.get("minst", tmp_path)


def test_the_real_catalogue():
    known = datasets.catalogue()["mnist"]
    assert len(known["mirrors"]) >= 2
    assert list(known["files"]) == [
        "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
    ]  # fmt: skip
    assert known["files"]["train-images-idx3-ubyte"]["size"] == 16 + 60_000 * 28 * 28


@pytest.mark.parametrize("bad", [b"", b"\0\0\x0b\1\0\0\0\1x", b"\0\0\x08\1\0\0\0\2x", b"\0\0\x08\3\0\0"])
def test_no_idx_file(bad):
    with pytest.raises(DataError, match="no idx file"):
        datasets.read_idx(bad)
