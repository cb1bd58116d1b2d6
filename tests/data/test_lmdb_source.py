from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import lmdb
import pytest

from brew.data.databases import lmdb as lmdb_source
from brew.data.databases.opening import open_database
from brew.errors import DataError

COUNT = 3000


@pytest.fixture
def folder(make_lmdb):
    """3,000 records of 98 bytes: a root and some 90 leaves."""
    return make_lmdb(b"%07d" % i * 14 for i in range(COUNT))


def keys(records, count):
    return [int(next(records)[0]) for _ in range(count)]


@pytest.mark.parametrize("start", [0, 1, 1234, COUNT - 1])
def test_reads_on_from_any_record_and_wraps(folder, start):
    database = open_database(folder)
    assert database.length == COUNT
    expected = [(start + i) % COUNT for i in range(5)]
    assert keys(database.records(start), 5) == expected
    assert keys(database.records(start + 7 * COUNT), 5) == expected
    database.close()


def test_records_are_read_by_keys_in_any_order(folder):
    database = open_database(folder)
    wanted = [int(i) * 1237 % COUNT for i in range(1000)]
    found = database.read(b"%08d" % i for i in wanted)
    assert [(key, value) for key, value in found] == [(b"%08d" % i, b"%07d" % i * 14) for i in wanted]
    with pytest.raises(DataError, match="no record '00003000' any more"):
        list(database.read(b"%08d" % i for i in range(COUNT - 10, COUNT + 5)))
    database.close()


def test_two_readers_of_one_folder(folder):
    first, second = open_database(folder), open_database(folder / "." / "")
    a, b = first.records(10), second.records(20)
    assert (keys(a, 2), keys(b, 2)) == ([10, 11], [20, 21])
    a.close()
    first.close()
    assert keys(b, 1) == [22]
    b.close()
    second.close()
    open_database(folder).close()


@pytest.mark.timeout(60)
def test_the_collector_may_give_one_back_while_another_is_opened(folder, make_lmdb, monkeypatch):
    other = make_lmdb([b"x"], name="other")
    circle = [open_database(folder)]
    circle.append(circle)
    check = lmdb_source.check_pages

    def collecting(file):
        circle.clear()
        gc.collect()
        check(file)

    monkeypatch.setattr(lmdb_source, "check_pages", collecting)
    database = open_database(other)
    held = [path for _, path in lmdb_source._Environments.open]
    assert folder.resolve() not in held and other.resolve() in held
    assert not lmdb_source._Environments.returned
    database.close()


def test_needs_no_lock_file(folder):
    database = open_database(folder)
    database.first()
    assert [f.name for f in folder.iterdir()] == ["data.mdb"]
    database.close()


@pytest.mark.parametrize(
    ("size", "what"),
    [(0, "empty file"), (10, "not an LMDB"), (4096, "truncated"), (8192, "truncated"), (-4096, "truncated")],
)
def test_truncated(folder, size, what):
    file = folder / "data.mdb"
    file.write_bytes(file.read_bytes()[: size or None] if size else b"")
    with pytest.raises(DataError, match=what):
        open_database(folder)


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
@pytest.mark.parametrize("page", [2, 20, -3, -1])
def test_overwritten_page(folder, page, fill):
    """LMDB itself would end the process in an assertion for some of these."""
    file = folder / "data.mdb"
    content = bytearray(file.read_bytes())
    start = page * 4096 % len(content)
    content[start : start + 4096] = fill * 4096
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged: page \d+"):
        open_database(folder)


def test_a_file_that_changes_is_checked_again(folder, monkeypatch):
    file = folder / "data.mdb"
    checked = []
    monkeypatch.setattr(lmdb_source, "check_pages", checked.append)
    for _ in range(2):
        open_database(folder).close()
    assert len(checked) == 2  # it has just been written
    for stamp in (1e9, 1.1e9):
        os.utime(file, (stamp, stamp))
        open_database(folder).close()
        open_database(folder).close()
    assert len(checked) == 4


def test_not_a_database(folder, tmp_path):
    (folder / "data.mdb").write_bytes(b"<html>" * 2000)
    with pytest.raises(DataError, match="does not begin with LMDB's mark"):
        open_database(folder)
    with pytest.raises(DataError, match=r"holds neither data.mdb .* nor CURRENT"):
        open_database(tmp_path)
    with pytest.raises(DataError, match="is an HTML page; the folder"):
        open_database(folder / "data.mdb")
    with pytest.raises(DataError, match="is not there"):
        open_database(tmp_path / "nowhere")


def test_empty(tmp_path):
    lmdb.open(str(tmp_path / "db")).close()
    with pytest.raises(DataError, match="is empty"):
        open_database(tmp_path / "db")


def test_wrong_backend_is_noted_once_told(folder, caplog):
    with caplog.at_level("INFO", "brew"):
        open_database(folder, "LMDB").close()
        assert not caplog.records
        open_database(folder, "LEVELDB", what="source").close()
    assert "holds LMDB data and is read so, though the file says backend: LEVELDB" in caplog.text


TRUNCATED = """
import os, sys
from pathlib import Path
from brew.data.databases.opening import open_database
from brew.data.databases.lmdb_writer import write_lmdb
from brew.errors import DataError
from brew.net import Net
from brew.prototxt import parse
from brew.proto.brew_pb2 import Datum, NetParameter
datum = Datum(channels=1, height=8, width=8, data=bytes(64), label=1).SerializeToString()
write_lmdb(Path("db"), ((b"%08d" % i, datum) for i in range(20000)))
def use():
    if sys.argv[1] == "net":
        data = 'layer { name: "d" type: "Data" top: "x" top: "t" data_param { source: "db" batch_size: 8 %s } }' % sys.argv[2]
        net = Net(parse(data, NetParameter), 0)
        step = net.forward
    else:
        database = open_database(Path("db"))
        if sys.argv[1] == "scan":
            records = database.records(int(sys.argv[2]))
            step = lambda: next(records)
        else:
            keys = list(database.keys())
            step = lambda: list(database.read(keys[:100]))
    for number in range(100_000):
        step()
        if number == 50:
            os.truncate("db/data.mdb", 8192)
try:
    use()
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "how",
    [("net", ""), ("net", "prefetch: 0"), ("net", "shuffle: true"), ("scan", "0"), ("scan", "19000"), ("read", "")],
)
def test_truncated_while_it_is_read(how, tmp_path):
    """What reads a page that is gone dies of SIGBUS."""
    script = [sys.executable, "-c", TRUNCATED, *how]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(script, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert "has been truncated since it was opened: 8192 bytes of" in done.stdout
