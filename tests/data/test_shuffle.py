from __future__ import annotations

from itertools import islice, pairwise

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


class Watched:
    """A database of `length` records that keeps what its readers asked for, reader by reader."""

    def __init__(self, length):
        self.length, self.asked = length, []

    def keys(self):
        return (b"%d" % i for i in range(self.length))

    def read(self, keys):
        mine = []
        self.asked.append(mine)
        for key in keys:
            mine.append(int(key))
            yield key, key


def taken(database, start, count, window=64, seed=3):
    records = shuffled(database, start, seed=seed, name="d", window=window)
    found = [int(key) for key, _ in islice(records, count)]
    records.close()
    return found


@pytest.mark.parametrize("length", [1000, 1024, 70, 64, 63, 3])
def test_in_windows_every_record_comes_once_an_epoch_and_a_resume_is_exact(length):
    database = Watched(length)
    whole = taken(database, 0, 3 * length)
    epochs = [whole[i * length : (i + 1) * length] for i in range(3)]
    assert all(sorted(epoch) == list(range(length)) for epoch in epochs)
    if length > 10:
        assert epochs[0] != epochs[1] != epochs[2] and taken(database, 0, length, seed=4) != epochs[0]
    for start in (1, length - 1, length + length // 2):
        assert taken(database, start, length) == whole[start : start + length]


def test_a_window_ahead_records_are_read_in_runs():
    """Runs of 4 for a window of 64: on the disk they lie side by side; single ones are taken of what was just read."""
    database = Watched(1000)
    taken(database, 0, 950)
    ahead, singles = database.asked
    runs = [ahead[i : i + 4] for i in range(0, 960, 4)]
    assert all(run == list(range(run[0], run[0] + 4)) and run[0] % 4 == 0 for run in runs)
    assert len({abs(a[0] - b[0]) for a, b in pairwise(runs)}) > 100  # from anywhere
    where = {number: place for place, number in enumerate(ahead[:1000])}
    lead = [place + 64 - where[number] for place, number in enumerate(singles[:900])]
    assert min(lead) > 0 and max(lead) <= 128
    far = [abs(a - b) for a, b in pairwise(singles)]
    assert sum(distance == 1 for distance in far) < 30  # neighbours come apart


def test_a_window_of_the_whole_database_and_more(make_lmdb):
    database = open_database(make_lmdb([b"%d" % i for i in range(7)]))
    for window in (7, 1000):
        records = shuffled(database, 2, seed=3, name="d", window=window)
        assert len({key for key, _ in islice(records, 5)}) == 5
        records.close()
    database.close()
