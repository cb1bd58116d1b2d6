"""Databases of Datums for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from brew.data.databases.lmdb_writer import write_lmdb
from brew.proto.brew_pb2 import Datum


@pytest.fixture
def make_lmdb(tmp_path: Path) -> Callable[..., Path]:
    """`make_lmdb(datums, name="db")`: the folder of a new LMDB with these Datums (or raw values) under 8-digit keys."""

    def make(datums: Iterable[Datum | bytes], name: str = "db") -> Path:
        values = [d if isinstance(d, bytes) else d.SerializeToString() for d in datums]
        write_lmdb(tmp_path / name, ((b"%08d" % i, value) for i, value in enumerate(values)))
        return tmp_path / name

    return make
