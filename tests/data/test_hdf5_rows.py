"""Rows of a dataset read in parts are those of the dataset read at once, however it is stored."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from brew.data.hdf5 import rows as hdf5_rows
from brew.data.hdf5.rows import Blocks, Held, InPlace, Mixed, mixing_of, open_rows
from brew.data.hdf5.source import open_hdf5
from brew.data.order import Mixing, RowOrder
from brew.errors import DataError
from brew.layer import TRAIN, Context
from brew.layer.random import Stream
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import LayerParameter
from brew.prototxt import parse

ROWS = 101
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
STORED = ("u1", "i1", "<i4", ">i2", "i8", "f2", "f4", ">f4", "f8", "?")
LAYOUTS = {
    "plain": {},
    "chunks": {"chunks": (8, 2, 3)},
    "odd chunks": {"chunks": (7, 1, 2)},
    "one chunk": {"chunks": (ROWS, 3, 4)},
    "packed": {"chunks": (8, 3, 4), "compression": "gzip", "shuffle": True},
}


@pytest.fixture
def small_parts(monkeypatch):
    """Next to nothing is little enough to be held."""
    monkeypatch.setattr(hdf5_rows, "_HELD", 100)
    monkeypatch.setattr(hdf5_rows, "_BLOCK", 500)
    monkeypatch.setattr(hdf5_rows, "_MIXED_BLOCK", 100)
    monkeypatch.setattr(hdf5_rows, "_WINDOW", 500)


def values(stored):
    random = np.random.default_rng(7)
    if np.dtype(stored).kind == "f":
        return (random.standard_normal((ROWS, 3, 4)) * 1e4).astype(stored)
    if stored == "?":
        return random.integers(0, 2, (ROWS, 3, 4)).astype(bool)
    limits = np.iinfo(stored)
    return random.integers(limits.min, limits.max, (ROWS, 3, 4), np.dtype(stored).newbyteorder("=")).astype(stored)


def write(path, stored, layout, **file):
    with h5py.File(path, "w", **file) as h5:
        h5.create_dataset("data", data=values(stored), **LAYOUTS[layout])


def opened(path, dtype=FLOAT32, mixing=None):
    h5 = open_hdf5(path)
    return open_rows(h5, h5["data"], path, dtype, mixing=mixing, again=True)


def mixed(path):
    with open_hdf5(path) as h5:
        return mixing_of(h5, [h5["data"]], path)


def whole(path, dtype):
    """What HDF5 itself makes of the dataset, read at once."""
    with h5py.File(path) as h5:
        read = np.empty(h5["data"].shape, dtype)
        h5["data"].read_direct(read)
        return read


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("stored", STORED)
def test_in_order_and_in_any(tmp_path, small_parts, stored, layout, dtype):
    write(tmp_path / "x.h5", stored, layout)
    expected = whole(tmp_path / "x.h5", dtype)
    rows = opened(tmp_path / "x.h5", dtype)
    assert isinstance(rows, InPlace if layout == "plain" else Blocks)
    for start, stop in ((0, 10), (10, 40), (40, 40), (40, 101), (0, 3), (90, 101), (0, 101)):
        out = np.empty((stop - start, 3, 4), dtype)
        rows.put(slice(start, stop), out)
        np.testing.assert_array_equal(out, expected[start:stop])
    rows.close()
    mixing = mixed(tmp_path / "x.h5")
    order = RowOrder(ROWS, mixing, Stream(1, "rows"), Stream(1, "blocks"), 4)
    assert sorted(order.numbers) == list(range(ROWS))
    rows, at = opened(tmp_path / "x.h5", dtype, mixing), 0
    assert isinstance(rows, InPlace if layout == "plain" else Mixed)
    while at < ROWS:
        stop, *blocks = order.window(at)
        if isinstance(rows, Mixed):
            rows.expect(*blocks)
        which = order.numbers[at : min(stop, at + 9)]
        out = np.empty((len(which), 3, 4), dtype)
        rows.put(which, out)
        np.testing.assert_array_equal(out, expected[which])
        at += len(which)
    rows.close()


def test_what_is_too_large_becomes_infinity(tmp_path, small_parts):
    for name, extra in (("plain", {}), ("chunks", {"chunks": (5, 10)})):
        with h5py.File(tmp_path / f"{name}.h5", "w") as h5:
            h5.create_dataset("data", data=np.full((20, 10), -1e300), **extra)
        rows = opened(tmp_path / f"{name}.h5")
        out = np.zeros((20, 10), np.float32)
        rows.put(slice(0, 20), out)
        rows.close()
        np.testing.assert_array_equal(out, whole(tmp_path / f"{name}.h5", np.float32))
        assert np.isneginf(out).all()


def test_small_ones_are_held_in_the_narrower_type(tmp_path):
    for stored, held in (("u1", "u1"), ("f8", "f4"), ("f4", "f4"), ("i8", "f4")):
        write(tmp_path / "x.h5", stored, "chunks")
        rows = opened(tmp_path / "x.h5")
        assert mixed(tmp_path / "x.h5") is None
        assert isinstance(rows, Held) and rows._values.dtype == held


@pytest.mark.parametrize(
    ("rows", "mixing"), [(1, Mixing(4, 3)), (100, Mixing(7, 3)), (96, Mixing(8, 4)), (5, Mixing(9, 2))]
)
def test_the_order_of_rows_that_are_mixed(rows, mixing):
    """By the rule: blocks in random order, in windows of so many, and rows in random order within a window."""

    def order(seed, index):
        return RowOrder(rows, mixing, Stream(seed, "rows"), Stream(seed, "blocks"), index)

    one = order(5, 3)
    assert sorted(one.numbers) == list(range(rows))
    at, seen, expected = 0, [], None
    while at < rows:
        stop, blocks, coming = one.window(at)
        assert one.window(stop - 1) == (stop, blocks, coming)
        assert {int(n) // mixing.rows for n in one.numbers[at:stop]} == set(blocks)
        assert len(blocks) == mixing.blocks or stop == rows
        assert expected in (None, blocks)
        at, expected = stop, coming
        seen += blocks
    assert expected == () and sorted(seen) == list(range(-(-rows // mixing.rows)))
    assert np.array_equal(order(5, 3).numbers, one.numbers)
    if rows > 50:
        assert all(not np.array_equal(order(*other).numbers, one.numbers) for other in ((5, 4), (6, 3)))
        assert not any(np.array_equal(np.sort(one.numbers[i : i + 8]), one.numbers[i : i + 8]) for i in range(rows - 8))


def test_blocks_are_of_whole_chunks(tmp_path, small_parts):
    for layout, expected in (("plain", None), ("chunks", Mixing(8, 5)), ("odd chunks", Mixing(14, 2)),
                             ("one chunk", Mixing(ROWS, 2))):  # fmt: skip
        write(tmp_path / "x.h5", "u1", layout)
        assert mixed(tmp_path / "x.h5") == expected, layout


LARGE = """
import resource, sys
import h5py
from brew.layer import TRAIN, Context
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import LayerParameter
from brew.prototxt import parse
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
source = 'hdf5_data_param { source: "list.txt" batch_size: 64 shuffle: %s }' % sys.argv[1]
param = parse('name: "h" type: "HDF5Data" top: "data" ' + source, LayerParameter).message
layer = layer_class("HDF5Data")(param, Context(TRAIN, seed=1))
before = peak()
layer.infer_shapes([])
values = {int(value) for _ in range(100) for value in layer.next_batch()[0][:, 0, 0]}
assert values == set(range(10)), values
print(peak() - before)
"""


def test_a_large_file_is_never_in_memory(tmp_path):
    """385 MiB of uint8 in compressed chunks, over the end of the file."""
    with h5py.File(tmp_path / "x.h5", "w") as h5:
        shape, packed = (6160, 256, 256), {"compression": "gzip", "compression_opts": 1}
        data = h5.create_dataset("data", shape, "u1", chunks=(16, 256, 256), **packed)
        chunks = [zlib.compress(bytes([value]) * (16 << 16), 1) for value in range(10)]
        for number in range(385):
            data.id.write_direct_chunk((16 * number, 0, 0), chunks[number % 10])
    (tmp_path / "list.txt").write_text("x.h5\n")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for shuffle in ("true", "false"):
        command = [sys.executable, "-c", LARGE, shuffle]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=100)
        assert done.returncode == 0, done.stderr
        # Four batches of 16 MiB, two windows of 32 MiB or blocks of 8, a chunk unpacked.
        assert int(done.stdout) < (160 if shuffle == "true" else 110)


def test_what_does_not_lie_there_as_numpy_has_it(tmp_path, small_parts):
    write(tmp_path / "user.h5", "u1", "plain", userblock_size=512)
    with h5py.File(tmp_path / "fill.h5", "w") as h5:  # nothing was written: all rows are the fill value
        h5.create_dataset("data", (ROWS, 3, 4), "f4", fillvalue=2.5)
    for name in ("user", "fill"):
        rows = opened(tmp_path / f"{name}.h5")
        assert isinstance(rows, Blocks)
        out = np.empty((ROWS, 3, 4), np.float32)
        rows.put(slice(0, ROWS), out)
        rows.close()
        np.testing.assert_array_equal(out, whole(tmp_path / f"{name}.h5", np.float32))


def test_a_file_cut_short_meanwhile(tmp_path, small_parts):
    write(tmp_path / "x.h5", "f4", "plain")
    rows = opened(tmp_path / "x.h5")
    with (tmp_path / "x.h5").open("rb+") as file:
        file.truncate(3000)
    out = np.empty((ROWS, 3, 4), np.float32)
    with pytest.raises(DataError, match=r"x.h5 ends before row 0"):
        rows.put(slice(0, ROWS), out)
    rows.close()


def layer(folder, shuffle, seed=3):
    source = f'hdf5_data_param {{ source: "list.txt" batch_size: 9 shuffle: {shuffle} }}'
    text = f'name: "h" type: "HDF5Data" top: "data" top: "label" {source}'
    return layer_class("HDF5Data")(parse(text, LayerParameter).message, Context(TRAIN, seed=seed, folder=folder))


@pytest.mark.parametrize("shuffle", ["true", "false"])
@pytest.mark.parametrize("files", [1, 3])
@pytest.mark.parametrize("layout", ["plain", "chunks", "packed"])
def test_batches_and_a_resume_are_those_of_files_in_memory(tmp_path, monkeypatch, shuffle, files, layout):
    stored = write_files(tmp_path, files, layout)
    held = layer(tmp_path, shuffle)
    expected = [[top.copy() for top in held.next_batch()] for _ in range(40)]
    held.close()
    monkeypatch.setattr(hdf5_rows, "_HELD", 10)
    monkeypatch.setattr(hdf5_rows, "_BLOCK", 100)
    monkeypatch.setattr(hdf5_rows, "_MIXED_BLOCK", 10)
    monkeypatch.setattr(hdf5_rows, "_WINDOW", 200)
    parts, resumed = layer(tmp_path, shuffle), layer(tmp_path, shuffle, seed=99)
    if shuffle == "true" and layout != "plain":  # in an order of their own: each row once an epoch
        mixed = layer(tmp_path, shuffle)
        expected = [[top.copy() for top in mixed.next_batch()] for _ in range(40)]
        mixed.close()
        labels = np.concatenate([label for _, label in expected])[: 2 * len(stored)].astype(int).reshape(2, -1)
        assert all(sorted(epoch) == sorted(stored) for epoch in labels) and (labels[0] != labels[1]).any()
        for data, label in expected:
            assert all(np.array_equal(row, stored[int(number)]) for row, number in zip(data, label, strict=True))
    for number, batch in enumerate(expected):
        if number == 17:
            resumed.restore(parts.state())
        readers = [parts] if number < 17 else [parts, resumed]
        for reader in readers:
            for came, wanted in zip(reader.next_batch(), batch, strict=True):
                np.testing.assert_array_equal(came, wanted)
    parts.close()
    resumed.close()


def write_files(folder, files, layout):
    """Some files with a list; their rows by their labels."""
    stored = {}
    for number, rows in enumerate([31, 20, 50][:files]):
        data = np.random.default_rng(number).integers(0, 256, (rows, 3, 4), np.uint8)
        labels = np.arange(rows) + 100 * number
        with h5py.File(folder / f"{number}.h5", "w") as h5:
            h5.create_dataset("data", data=data, **LAYOUTS[layout])
            h5.create_dataset("label", data=labels)
        stored |= dict(zip(labels.tolist(), data, strict=True))
    (folder / "list.txt").write_text("".join(f"{number}.h5\n" for number in range(files)))
    return stored
