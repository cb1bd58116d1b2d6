"""LevelDBs that LevelDB itself wrote are read by our own reader as by LevelDB."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from brew.data.databases import leveldb, leveldb_files
from brew.data.databases.leveldb_plain import PlainLevelDB
from brew.data.databases.opening import open_database
from brew.errors import DataError

plyvel = pytest.importorskip("plyvel", reason="no wheel for this Python")


def fill(
    folder: Path, *, seed=1, rounds=4, count=300, size=400, kept=1 << 20, compacted=False, **options
) -> dict[bytes, bytes]:
    """A database that was opened `rounds` times, each time with new, changed and deleted keys; what it holds.

    If it is `compacted`, all tables before the last round's lie on a level of their own.
    """
    draw, held = random.Random(seed), {}
    for number in range(rounds):
        database = plyvel.DB(str(folder), create_if_missing=True, write_buffer_size=kept, **options)
        for _ in range(count):
            key = b"%08d_%s" % (draw.randrange(2 * count), b"x" * draw.randrange(9))
            if held and draw.random() < 0.2:
                key = draw.choice(sorted(held))
                del held[key]
                database.delete(key)
                continue
            value = draw.randbytes(draw.randrange(size)) * draw.choice((1, 1, 7)) + bytes(draw.randrange(size))
            held[key] = value
            database.put(key, value)
        if compacted and number < rounds - 1:
            database.compact_range()
        database.close()
    return held


CASES = {
    "in the log": {"rounds": 1, "count": 50},
    "reopened": {"rounds": 5},
    "many small tables": {"kept": 1 << 16, "rounds": 4, "count": 400},
    "two levels": {"kept": 1 << 17, "count": 400, "compacted": True},
    "not compressed": {"compression": None, "kept": 1 << 16},
    "large values": {"size": 100_000, "count": 5},
    "small blocks": {"block_size": 64, "kept": 1 << 16},
}


@pytest.mark.parametrize("case", CASES)
def test_every_record_in_order_and_by_key(tmp_path, case):
    held = fill(tmp_path / "db", **CASES[case])
    database = PlainLevelDB(tmp_path / "db")
    assert list(database.scan(0)) == sorted(held.items())
    assert database.length == len(held) and list(database.keys()) == sorted(held)
    assert database.last() == max(held.items())
    wanted = random.Random(2).sample(sorted(held), min(50, len(held)))
    assert list(database.read(wanted)) == [(key, held[key]) for key in wanted]
    around = list(islice(database.records(len(held) - 2), 5))
    assert around == [sorted(held.items())[(len(held) - 2 + i) % len(held)] for i in range(5)]
    with pytest.raises(DataError, match="has no record 'nowhere' any more"):
        list(database.read([b"nowhere"]))
    database.close()


def test_tables_of_two_levels_are_among_them(tmp_path):
    fill(tmp_path / "db", **CASES["two levels"])
    levels = PlainLevelDB(tmp_path / "db")._levels
    assert sum(map(bool, levels)) >= 2


def test_nothing_is_written_and_it_needs_no_plyvel(tmp_path, monkeypatch):
    held = fill(tmp_path / "db")
    before = sorted((f.name, f.stat().st_mtime_ns) for f in (tmp_path / "db").iterdir())
    monkeypatch.setattr(leveldb, "has_plyvel", lambda: False)
    database = open_database(tmp_path / "db")
    assert isinstance(database, PlainLevelDB) and database.first() == min(held.items())
    assert sorted((f.name, f.stat().st_mtime_ns) for f in (tmp_path / "db").iterdir()) == before
    monkeypatch.undo()
    database = open_database(tmp_path / "db")
    assert leveldb.has_plyvel() and isinstance(database, leveldb.LevelDB)
    database.close()


def test_empty(tmp_path):
    plyvel.DB(str(tmp_path / "db"), create_if_missing=True).close()
    with pytest.raises(DataError, match="is empty"):
        PlainLevelDB(tmp_path / "db")


def test_every_changed_byte_is_found_or_changes_nothing(tmp_path):
    """One byte of any file, anywhere: an error that names the database, or all records as they were."""
    held = sorted(fill(tmp_path / "db", count=60, size=30).items())
    draw, found = random.Random(3), 0
    files = [f for f in (tmp_path / "db").iterdir() if f.suffix == ".ldb" or f.name.startswith(("MAN", "CUR"))]
    assert len(files) > 3
    for file in files:
        whole = file.read_bytes()
        for _ in range(25):
            changed = bytearray(whole)
            changed[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
            file.write_bytes(changed)
            try:
                assert list(PlainLevelDB(tmp_path / "db").scan(0)) == held, file
            except DataError as error:
                found += 1
                assert str(tmp_path / "db") in str(error)
        file.write_bytes(whole)
    assert found > 30


def test_a_log_counts_as_far_as_it_goes(tmp_path):
    """As for LevelDB: what a killed program was about to write is not there; what was changed is an error."""
    held = sorted(fill(tmp_path / "db", rounds=1, count=60, size=30).items())
    [log] = (tmp_path / "db").glob("*.log")
    whole = log.read_bytes()
    log.write_bytes(whole[:-5])
    fewer = list(PlainLevelDB(tmp_path / "db").scan(0))
    assert len(held) - 1 <= len(fewer) <= len(held) + 1 and fewer != held
    log.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(DataError, match="is damaged: the checksum of a record at byte"):
        PlainLevelDB(tmp_path / "db")


def test_files_that_end_early(tmp_path):
    held = sorted(fill(tmp_path / "db", count=200, rounds=2).items())
    for file in (f for f in (tmp_path / "db").iterdir() if f.suffix == ".ldb"):
        whole = file.read_bytes()
        for end in (0, 1, 47, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:end])
            with pytest.raises(DataError, match="is damaged"):
                list(PlainLevelDB(tmp_path / "db").scan(0))
        file.unlink()
        with pytest.raises(DataError, match="cannot be read: No such file"):
            list(PlainLevelDB(tmp_path / "db").scan(0))
        file.write_bytes(whole)
    assert list(PlainLevelDB(tmp_path / "db").scan(0)) == held


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 4095, 4096, 4097, 4099, 10_000])
def test_checksums(size):
    data, register = random.Random(size).randbytes(size), 0xFFFFFFFF
    for byte in data:  # bit by bit, as the definition has it
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    assert leveldb_files.checksum(data) == register ^ 0xFFFFFFFF
