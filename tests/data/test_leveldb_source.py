from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from brew.data.databases.opening import open_database
from brew.errors import DataError


@pytest.fixture
def folder(tmp_path):
    plyvel = pytest.importorskip("plyvel", reason="no wheel for this Python")
    database = plyvel.DB(str(tmp_path / "db"), create_if_missing=True)
    for i in range(10):
        database.put(b"%08d" % i, b"value %d" % i)
    database.close()
    return tmp_path / "db"


def content(folder):
    return {f.name: (f.stat().st_mtime_ns, f.read_bytes()) for f in folder.iterdir()}


@pytest.mark.parametrize("start", [0, 4, 9, 24])
def test_reads_on_from_any_record_and_wraps(folder, start):
    database = open_database(folder)
    records = database.records(start)
    assert [int(next(records)[0]) for _ in range(12)] == [(start + i) % 10 for i in range(12)]
    assert database.length == 10
    records.close()
    database.close()


def test_two_readers_and_an_untouched_folder(folder):
    before = content(folder)
    first, second = open_database(folder), open_database(folder, "LMDB")
    assert first.first() == second.first() == (b"00000000", b"value 0")
    first.close()
    second.close()
    assert content(folder) == before


def test_damaged(folder):
    for table in [*folder.glob("*.ldb"), *folder.glob("*.log")]:
        table.write_bytes(bytes(table.stat().st_size))
    with pytest.raises(DataError, match=r"is damaged|is empty|cannot be opened"):
        open_database(folder)


def test_empty(tmp_path):
    plyvel = pytest.importorskip("plyvel", reason="no wheel for this Python")
    plyvel.DB(str(tmp_path), create_if_missing=True).close()
    with pytest.raises(DataError, match="is empty"):
        open_database(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_what_a_killed_process_left_is_removed(folder, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    code = f"""import os, tempfile; tempfile.tempdir = {str(temporary)!r}
from pathlib import Path; from brew.data.databases.leveldb import LevelDB
database = LevelDB(Path({str(folder)!r})); os.kill(os.getpid(), 9)"""
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    [left] = temporary.iterdir()
    first = open_database(folder)
    assert not left.exists()
    [mine] = temporary.iterdir()
    second = open_database(folder)
    assert mine.exists() and first.first() == second.first()
    (temporary / "brew-leveldb-unclaimed").mkdir()  # as between the two steps of making one
    first.close()
    second.close()
    assert [path.name for path in temporary.iterdir()] == ["brew-leveldb-unclaimed"]
