"""Records whose channels come last are told; they are read as they say they are."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from brew.checks.files import check as check_file
from brew.checks.states import Options
from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.record_shape import seems_channels_last
from brew.errors import NetError
from brew.layer import TRAIN
from brew.net.net import Net
from brew.proto.brew_pb2 import Datum, NetParameter
from brew.prototxt import parse

SILENCE = '\nlayer { name: "s" type: "Silence" bottom: "data" }'


@pytest.mark.parametrize(
    ("shape", "last"),
    [
        ((8, 10, 3), True), ((224, 224, 3), True), ((32, 32, 4), True), ((480, 640, 3), True),
        ((3, 8, 10), False), ((1, 8, 10), False), ((3, 3, 3), False), ((512, 7, 1), False), ((64, 1, 3), False),
        ((4, 3, 3), False), ((3, 224, 3), False), ((512, 8, 3), False), ((10,), False), ((), False),
    ],
)  # fmt: skip
def test_what_seems_to_be_so(shape, last):
    assert seems_channels_last(shape) is last


def database(shape, transform=""):
    channels, height, width = shape
    datum = Datum(channels=channels, height=height, width=width, data=bytes(channels * height * width))
    write_lmdb(Path("db"), [(b"0", datum.SerializeToString())])
    return f'layer {{ name: "d" type: "Data" top: "data" data_param {{ source: "db" batch_size: 1 }} {transform} }}'


def rows(shape):
    with h5py.File("x.h5", "w") as h5:
        h5["data"] = np.zeros((5, *shape))
    Path("list.txt").write_text("x.h5")
    return 'layer { name: "d" type: "HDF5Data" top: "data" hdf5_data_param { source: "list.txt" batch_size: 1 } }'


def memory(shape):
    sizes = "channels: {} height: {} width: {}".format(*shape)
    param = f"memory_data_param {{ batch_size: 1 {sizes} }}"
    return f'layer {{ name: "d" type: "MemoryData" top: "data" top: "label" {param} }}'


@pytest.mark.parametrize("write", [database, rows, memory])
def test_it_is_told_once(tmp_path, monkeypatch, caplog, write):
    monkeypatch.chdir(tmp_path)
    text = write((8, 10, 3))
    net = Net(parse(text, NetParameter, "net.prototxt"), TRAIN)
    assert net.blobs["data"].shape == (1, 8, 10, 3)
    net.close()
    [record] = [r for r in caplog.records if r.levelname == "WARNING"]
    assert record.getMessage() == (
        f'net.prototxt:1:1: layer "d" ({net.layers[0].type}): its records are 8 x 10 x 3, taken for 8 channels of '
        "10 x 3 pixels (records are channels x height x width: write image.transpose(2, 0, 1))"
    )
    Path("net.prototxt").write_text(text + SILENCE)
    [finding] = [f for f in check_file("net.prototxt", Options()) if f.code == "B232"]
    assert "taken for 8 channels" in finding.message and "transpose" in finding.hint


@pytest.mark.parametrize("write", [database, rows, memory])
def test_records_as_they_should_be_are_not_told(tmp_path, monkeypatch, caplog, write):
    monkeypatch.chdir(tmp_path)
    text = write((3, 8, 10))
    Net(parse(text, NetParameter), TRAIN).close()
    assert not [r for r in caplog.records if r.levelname == "WARNING"]
    Path("net.prototxt").write_text(text + SILENCE)
    assert not [f for f in check_file("net.prototxt", Options()) if f.code == "B232"]


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ("crop_size: 8", "a crop of 8 x 8 does not fit into images of 10 x 3"),
        ("mean_value: 1 mean_value: 2 mean_value: 3", "3 values of mean_value for images of 8 channels"),
    ],
)
def test_errors_that_come_of_it_say_so(tmp_path, monkeypatch, transform, message):
    monkeypatch.chdir(tmp_path)
    text = database((8, 10, 3), f"transform_param {{ {transform} }}")
    with pytest.raises(NetError, match=message) as caught:
        Net(parse(text, NetParameter), TRAIN)
    assert "transpose" in caught.value.hint
