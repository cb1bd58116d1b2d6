"""LMDB files whose tree or entries lead astray are refused before LMDB follows them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from brew.data.databases.lmdb_pages import check_pages
from brew.data.databases.lmdb_writer import write_lmdb
from brew.errors import DataError

PAGE = 4096
META = 16 + 24 + 48  # of the first page: what describes the tree of records


@pytest.fixture
def whole(tmp_path: Path) -> bytearray:
    """An LMDB of a branch page, leaves, and pages of large records."""
    write_lmdb(tmp_path / "db", ((b"%08d" % i, bytes(9000 if i % 40 == 0 else 70)) for i in range(160)))
    return bytearray((tmp_path / "db" / "data.mdb").read_bytes())


def pages(data: bytearray, kind: int) -> list[int]:
    """Where the pages of a kind (1 branch, 2 leaf) start."""
    starts = range(2 * PAGE, len(data), PAGE)
    own = [s for s in starts if struct.unpack_from("<Q", data, s)[0] == s // PAGE]
    return [s for s in own if data[s + 10] == kind and data[s + 11] == 0]


def node(data: bytearray, page: int, number: int = 0) -> int:
    return page + int(struct.unpack_from("<H", data, page + 16 + 2 * number)[0])


def first_slot(data: bytearray) -> None:
    struct.pack_into("<H", data, pages(data, 2)[0] + 16, PAGE - 4)


def slot_into_the_slots(data: bytearray) -> None:
    struct.pack_into("<H", data, pages(data, 2)[0] + 16, 16)


def size_of_data(data: bytearray) -> None:
    struct.pack_into("<I", data, node(data, pages(data, 2)[1]), 0x7FFFFFFF)


def size_of_key(data: bytearray) -> None:
    struct.pack_into("<H", data, node(data, pages(data, 2)[0], 3) + 6, 0xFFFF)


def key_of_a_branch(data: bytearray) -> None:
    struct.pack_into("<H", data, node(data, pages(data, 1)[0], 1) + 6, 5000)


def several_values(data: bytearray) -> None:
    struct.pack_into("<H", data, node(data, pages(data, 2)[0], 2) + 4, 4)


def large(data: bytearray) -> int:
    """The first node of a large record: behind its key of 8 bytes stands a page number."""
    return next(n for p in pages(data, 2) for i in range(20) if data[(n := node(data, p, i)) + 4] == 1)


def large_record_beyond_the_file(data: bytearray) -> None:
    struct.pack_into("<Q", data, large(data) + 16, len(data) // PAGE - 1)


def large_record_at_2_to_the_63(data: bytearray) -> None:
    struct.pack_into("<Q", data, large(data) + 16, 1 << 63)


def a_leaf_named_twice(data: bytearray) -> None:
    branch = pages(data, 1)[0]
    nodes = (struct.unpack_from("<H", data, branch + 12)[0] - 16) // 2
    first = bytes(data[node(data, branch) : node(data, branch) + 4])
    for number in range(nodes):
        data[node(data, branch, number) : node(data, branch, number) + 4] = first
    lower = struct.unpack_from("<H", data, branch + 12)[0]
    room = struct.unpack_from("<H", data, branch + 14)[0] - lower
    for slot in range(lower, lower + room - 1, 2):  # a branch full of slots that lead to the same node
        struct.pack_into("<H", data, branch + slot, node(data, branch) - branch)
    struct.pack_into("<H", data, branch + 12, lower + room // 2 * 2)


@pytest.mark.parametrize("damage", [
    first_slot, slot_into_the_slots, size_of_data, size_of_key, key_of_a_branch, several_values,
    large_record_beyond_the_file, large_record_at_2_to_the_63, a_leaf_named_twice,
])  # fmt: skip
def test_what_leads_astray_is_refused(damage: Callable[[bytearray], None], whole: bytearray, tmp_path: Path) -> None:
    file = tmp_path / "damaged.mdb"
    file.write_bytes(whole)
    check_pages(file)
    damage(whole)
    file.write_bytes(whole)
    with pytest.raises(DataError, match=r"damaged: page \d+ (has an entry|or another)"):
        check_pages(file)


def test_trees_of_several_values_for_a_key_are_refused(whole: bytearray, tmp_path: Path) -> None:
    for meta in (META, PAGE + META):
        struct.pack_into("<H", whole, meta + 4, 4)  # MDB_DUPSORT
    (tmp_path / "x.mdb").write_bytes(whole)
    with pytest.raises(DataError, match="flags 0x4"):
        check_pages(tmp_path / "x.mdb")
