from __future__ import annotations

import pytest

from brew.data.databases.opening import open_database
from brew.data.shuffle import Keys, shuffled
from brew.errors import DataError


def test_keys_of_any_length():
    names = [b"a", b"", b"n01440764/n01440764_10026.JPEG", b"\x00\xff"]
    keys = Keys(iter(names))
    assert len(keys) == 4
    assert [keys[i] for i in range(4)] == names


def test_records_of_named_keys(make_lmdb):
    database = open_database(make_lmdb([b"zero", b"one", b"two"]))
    assert list(database.keys()) == [b"00000000", b"00000001", b"00000002"]
    found = list(database.read([b"00000002", b"00000000"]))
    assert found == [(b"00000002", b"two"), (b"00000000", b"zero")]
    with pytest.raises(DataError, match="has no record '00000003' any more"):
        list(database.read([b"00000003"]))
    database.close()


def test_goes_on_over_epochs_from_any_record(make_lmdb):
    database = open_database(make_lmdb([b"%d" % i for i in range(7)]))
    whole = shuffled(database, 0, seed=3, name="d")
    order = [next(whole) for _ in range(21)]
    part = shuffled(database, 10, seed=3, name="d")
    assert [next(part) for _ in range(11)] == order[10:]
    other = shuffled(database, 0, seed=3, name="e")
    assert [next(other) for _ in range(21)] != order
    for records in (whole, part, other):
        records.close()
    database.close()
