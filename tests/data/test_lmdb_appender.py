"""Files written page by page, held against LMDB itself: it reads them, walks them, writes to them."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import lmdb
import pytest

from brew.data.databases.lmdb_appender import LmdbAppender
from brew.data.databases.lmdb_pages import check_pages
from brew.errors import DataError

Records = list[tuple[bytes, bytes]]


def made(count: int, least: int, most: int, keys: int) -> Records:
    rng = random.Random(count)
    return [(b"%08d_" % i + b"k" * rng.randint(0, keys), rng.randbytes(rng.randint(least, most))) for i in range(count)]


SHAPES = [
    (0, 0, 0, 0),
    (1, 5, 5, 502),  # a key of the greatest length
    (90, 10, 20, 0),  # one leaf
    (1000, 3000, 3000, 0),  # values of one page
    (3000, 2, 2, 480),  # four levels
    (1500, 2000, 2040, 20),  # about the size that moves out of the leaf
    (2000, 0, 5000, 480),
    (20, 300_000, 300_000, 0),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_lmdb_reads_and_writes_what_is_written(tmp_path: Path, shape: tuple[int, int, int, int]) -> None:
    records = made(*shape)
    appender = LmdbAppender(tmp_path / "data.mdb")
    for record in records:
        appender.put(*record)
    appender.finish()
    check_pages(tmp_path / "data.mdb")
    with lmdb.open(str(tmp_path), map_size=1 << 26) as environment:
        with environment.begin() as transaction:
            assert list(transaction.cursor()) == records
            assert all(transaction.get(key) == value for key, value in records[::7])
            assert transaction.get(b"zzz") is None
        with environment.begin(write=True) as transaction:
            for number in range(300):
                transaction.put(b"x%03d" % number, b"y" * number * 7)
            for key, _ in records[::3]:
                transaction.delete(key)
        with environment.begin() as transaction:
            kept = [key for number, (key, _) in enumerate(records) if number % 3]
            assert [key for key, _ in transaction.cursor()] == [*kept, *(b"x%03d" % i for i in range(300))]


def test_the_file_is_lmdbs_own(tmp_path: Path) -> None:
    """Byte for byte, but for the size of the map, which LMDB is told."""
    appender = LmdbAppender(tmp_path / "data.mdb")
    appender.put(b"a", b"b")
    appender.finish()
    (tmp_path / "own").mkdir()
    with lmdb.open(str(tmp_path / "own")) as environment, environment.begin(write=True) as write:
        write.put(b"a", b"b")
    ours, own = (bytearray((folder / "data.mdb").read_bytes()) for folder in (tmp_path, tmp_path / "own"))
    for meta in (0, 4096):
        ours[meta + 32 : meta + 40] = own[meta + 32 : meta + 40] = bytes(8)
    assert ours == own


def test_a_file_goes_on_from_where_it_was_settled(tmp_path: Path) -> None:
    records = made(3000, 0, 3000, 100)
    for name, kills in (("straight", False), ("killed", True)):
        appender = LmdbAppender(tmp_path / name)
        for number, record in enumerate(records):
            if number % 500 == 0:
                written = copy.deepcopy(appender.settle())
                if kills:
                    for lost in records[number : number + 300]:
                        appender.put(*lost)
                    appender.close()
                    with (tmp_path / name).open("ab") as file:
                        file.write(b"torn" * number)
                    appender = LmdbAppender(tmp_path / name, written)
            appender.put(*record)
        appender.settle()
        before = copy.deepcopy(appender.written)
        appender.finish()
        if kills:
            LmdbAppender(tmp_path / name, before).finish()
    assert (tmp_path / "straight").read_bytes() == (tmp_path / "killed").read_bytes()


@pytest.mark.parametrize("key", [b"", b"k" * 512, b"a", b"b"])
def test_keys_that_lmdb_would_not_take(tmp_path: Path, key: bytes) -> None:
    appender = LmdbAppender(tmp_path / "data.mdb")
    appender.put(b"b", b"")
    with pytest.raises(DataError, match=r"are allowed|does not come behind"):
        appender.put(key, b"")
    appender.close()
