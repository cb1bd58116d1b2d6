from __future__ import annotations

import resource

import lmdb
import pytest

from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.databases.opening import open_database
from brew.errors import DataError, ResourceError


def records(count, size=100, start=0):
    return ((b"%08d" % i, bytes([i % 256]) * size) for i in range(start, start + count))


def test_what_is_written_is_read_back(tmp_path):
    folder = tmp_path / "deep" / "db"
    assert write_lmdb(folder, records(2500, 1000)) == 2500
    database = open_database(folder)
    assert list(database.scan(0)) == list(records(2500, 1000))
    database.close()
    assert [f.name for f in folder.iterdir()] == ["data.mdb"]
    assert [f.name for f in folder.parent.iterdir()] == ["db"]  # nothing temporary left
    with lmdb.open(str(folder), readonly=True, lock=False) as other:  # as any reader opens it
        assert other.stat()["entries"] == 2500


def test_is_no_bigger_than_its_content(tmp_path):
    write_lmdb(tmp_path / "db", records(1000, 80))
    assert (tmp_path / "db/data.mdb").stat().st_size < 1000 * (80 + 8 + 8) * 1.1 + 5 * 4096


def test_the_same_bytes_every_time(tmp_path):
    for name in ("a", "b"):
        write_lmdb(tmp_path / name, records(1000, 80))
    assert (tmp_path / "a/data.mdb").read_bytes() == (tmp_path / "b/data.mdb").read_bytes()


def test_an_existing_target_is_left_alone_unless_told(tmp_path):
    folder = tmp_path / "db"
    folder.mkdir()
    write_lmdb(folder, records(3))  # an empty folder is not in the way
    with pytest.raises(DataError, match=r"already there and not empty \(--overwrite replaces it"):
        write_lmdb(folder, records(5))
    assert write_lmdb(folder, records(5), overwrite=True) == 5
    database = open_database(folder)
    assert database.length == 5
    database.close()


def test_a_failure_leaves_nothing(tmp_path):
    def broken():
        yield from records(1500)
        raise KeyError("no more")

    folder = tmp_path / "db"
    write_lmdb(folder, records(3))
    with pytest.raises(KeyError):
        write_lmdb(folder, broken(), overwrite=True)
    with pytest.raises(DataError, match="does not come behind"):
        write_lmdb(tmp_path / "other", [(b"b", b""), (b"a", b"")])
    assert [f.name for f in tmp_path.iterdir()] == ["db"]
    database = open_database(folder)
    assert database.length == 3
    database.close()


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is a file"):
        write_lmdb(tmp_path / "file", records(1))
    with pytest.raises(ResourceError, match="cannot be written"):
        write_lmdb(tmp_path / "file" / "db", records(1))


def test_a_full_disk_leaves_nothing(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(ResourceError, match="cannot be written"):
            write_lmdb(tmp_path / "db", records(2500, 1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
