"""`brew extract_features` through the command line: keys, records and order, each place of a blob, mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import lmdb
import numpy as np
import pytest

import brew
from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.databases.opening import open_database
from brew.proto.brew_pb2 import Datum

Run = Callable[..., Any]

NET = """
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "db" batch_size: 2 backend: LMDB } }
layer { name: "ip/1" type: "InnerProduct" bottom: "data" top: "ip/1" inner_product_param { num_output: 3 } }
layer { name: "relu" type: "ReLU" bottom: "ip/1" top: "ip/1" }
layer { name: "sum" type: "Reduction" bottom: "ip/1" top: "sum" }
"""
# Of the records (0, 1), (1, 2), (2, 3): x, y, x - y, and no negative numbers.
FEATURES = [[0, 1, 0], [1, 2, 0], [2, 3, 0], [0, 1, 0]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    datums = (Datum(channels=1, height=1, width=2, data=bytes([i, i + 1]), label=i) for i in range(3))
    write_lmdb(Path("db"), [(b"%d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)])
    net = brew.Net("net.prototxt", brew.TEST)
    net.params["ip/1"][0].data[...] = [[1, 0], [0, 1], [1, -1]]
    net.params["ip/1"][1].data[...] = 0
    net.save("w.caffemodel")
    net.close()


def test_records_of_floats(brew_run: Run) -> None:
    outcome = brew_run("extract_features", "w.caffemodel", "net.prototxt", "ip/1,sum,data", "a,b,c", "2", "lmdb")
    assert outcome.code == 0
    assert outcome.out == (
        "a: LMDB, 4 records of ip/1: 3\nb: LMDB, 2 records of sum: scalar\nc: LMDB, 4 records of data: 1 x 1 x 2\n"
    )
    assert "] Extracted features of 4 query images for feature blob ip/1\n" in outcome.err
    assert "] Successfully extracted the features!\n" in outcome.err
    with lmdb.open("a", readonly=True, lock=False) as environment, environment.begin() as transaction:
        records = list(transaction.cursor())
    assert [key for key, _ in records] == [b"%010d" % i for i in range(4)]
    first = Datum(channels=3, height=1, width=1, float_data=[0, 1, 0])
    assert records[0][1] == first.SerializeToString()  # no label, and nothing else
    assert [list(Datum.FromString(value).float_data) for _, value in records] == FEATURES


def test_hdf5_and_leveldb(brew_run: Run) -> None:
    words = ("extract-features", "w.caffemodel", "net.prototxt", "ip/1")
    assert brew_run(*words, "a.h5", "2", "HDF5", "CPU").out == "a.h5: HDF5, 4 records of ip/1: 3\n"
    with h5py.File("a.h5") as file:
        assert file["ip_1"][:].tolist() == FEATURES
        assert file["ip_1"].dtype == np.float32
    pytest.importorskip("plyvel")
    assert brew_run(*words, "level", "2", "leveldb").code == 0
    database = open_database(Path("level"))
    assert [list(Datum.FromString(value).float_data) for _, value in database.scan(0)] == FEATURES
    database.close()


def test_mistakes(brew_run: Run) -> None:
    def run(blobs: str, outs: str, *more: str) -> Any:
        return brew_run("extract_features", "w.caffemodel", "net.prototxt", blobs, outs, *(more or ("1", "lmdb")))

    near = run("summ", "a")
    assert (
        near.code == 2 and 'net.prototxt: the net has no blob "summ"' in near.err and 'did you mean "sum"?' in near.err
    )
    assert run("sum,data", "a").code == 2
    assert "stands there twice" in run("sum,data", "a,a").err
    assert run("sum", "a", "0", "lmdb").code == 2
    assert 'did you mean "lmdb"' in run("sum", "a", "1", "lmbd").err.lower()
    assert run("sum", "a", "1", "lmdb", "CPU", "first").code == 2
    exists = run("sum", "db")
    assert exists.code == 3 and "--overwrite" in exists.err
    assert run("sum", "none/a.h5", "1", "hdf5").code == 7
    assert run("sum", "net.prototxt", "1", "hdf5", "CPU").code == 7
    assert brew_run("extract_features", "none.caffemodel", "net.prototxt", "sum", "a", "1", "lmdb").code == 3
    assert sorted(path.name for path in Path().iterdir()) == ["db", "net.prototxt", "w.caffemodel"]
