"""Rows of a dataset read in parts are those of the dataset read at once, however it is stored."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from brew.data.hdf5 import rows as hdf5_rows
from brew.data.hdf5.rows import Blocks, Held, InPlace, open_rows
from brew.data.hdf5.source import open_hdf5
from brew.errors import DataError
from brew.layer import TRAIN, Context
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
    monkeypatch.setattr(hdf5_rows, "_UNPACKED", 100)
    monkeypatch.setattr(hdf5_rows, "_BLOCK", 500)


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


def opened(path, dtype=FLOAT32, *, in_order=True, again=True):
    h5 = open_hdf5(path)
    return open_rows(h5, h5["data"], path, dtype, in_order=in_order, again=again)


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
    rows = opened(tmp_path / "x.h5", dtype, in_order=False)
    assert isinstance(rows, InPlace if layout == "plain" else Held)
    which = np.random.default_rng(1).permutation(ROWS)[:50]
    out = np.empty((50, 3, 4), dtype)
    rows.put(which, out)
    np.testing.assert_array_equal(out, expected[which])
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
        rows = opened(tmp_path / "x.h5", in_order=False)
        assert isinstance(rows, Held) and rows._values.dtype == held


def test_a_compressed_file_alone_is_not_unpacked_in_every_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(hdf5_rows, "_HELD", 100)
    write(tmp_path / "x.h5", "u1", "packed")
    kept, read = opened(tmp_path / "x.h5", again=True), opened(tmp_path / "x.h5", again=False)
    assert isinstance(kept, Held) and isinstance(read, Blocks)
    read.close()


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
    sizes = [31, 20, 50][:files]
    for number, rows in enumerate(sizes):
        data = np.random.default_rng(number).integers(0, 256, (rows, 3, 4), np.uint8)
        with h5py.File(tmp_path / f"{number}.h5", "w") as h5:
            h5.create_dataset("data", data=data, **LAYOUTS[layout])
            h5.create_dataset("label", data=np.arange(rows) + 100 * number)
    (tmp_path / "list.txt").write_text("".join(f"{number}.h5\n" for number in range(files)))
    held = layer(tmp_path, shuffle)
    expected = [[top.copy() for top in held.next_batch()] for _ in range(40)]
    held.close()
    monkeypatch.setattr(hdf5_rows, "_HELD", 10)
    monkeypatch.setattr(hdf5_rows, "_UNPACKED", 10)
    monkeypatch.setattr(hdf5_rows, "_BLOCK", 100)
    parts, resumed = layer(tmp_path, shuffle), layer(tmp_path, shuffle, seed=99)
    for number, batch in enumerate(expected):
        if number == 17:
            resumed.restore(parts.state())
        readers = [parts] if number < 17 else [parts, resumed]
        for reader in readers:
            for came, wanted in zip(reader.next_batch(), batch, strict=True):
                np.testing.assert_array_equal(came, wanted)
    parts.close()
    resumed.close()
