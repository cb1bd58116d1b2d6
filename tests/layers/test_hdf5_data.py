from __future__ import annotations

import h5py
import numpy as np
import pytest

from brew.errors import DataError, NetError
from brew.layer import TRAIN, Context
from brew.layer.registry import layer_class
from brew.net.net import Net
from brew.proto.brew_pb2 import LayerParameter, NetParameter
from brew.prototxt import parse

SIZES = 3, 5, 2  # rows of the three files; row k of them all holds k


@pytest.fixture
def folder(tmp_path):
    start = 0
    for i, rows in enumerate(SIZES):
        values = np.arange(start, start + rows)
        with h5py.File(tmp_path / f"{i}.h5", "w") as h5:
            h5["data"] = np.repeat(values, 4).reshape(rows, 2, 2).astype(np.float64)
            h5["label"] = values.astype(np.int32)
        start += rows
    (tmp_path / "list.txt").write_text("".join(f"{i}.h5\n" for i in range(len(SIZES))))
    return tmp_path


def hdf5(folder, fields="batch_size: 4", outside="", seed=1, tops=("data", "label")):
    names = " ".join(f'top: "{t}"' for t in tops)
    text = f'name: "h" type: "HDF5Data" {names} hdf5_data_param {{ source: "list.txt" {fields} }} {outside}'
    document = parse(text, LayerParameter, "net.prototxt")
    context = Context(phase=TRAIN, seed=seed, folder=folder, place=document.place)
    return layer_class("HDF5Data")(document.message, context)


def rows(layer, batches):
    """The labels of the coming batches in one row, each checked against its data."""
    found = []
    for _ in range(batches):
        data, label = layer.next_batch()
        assert np.array_equal(data, np.broadcast_to(label[:, None, None], data.shape))
        found += label.astype(int).tolist()
    return found


def test_rows_in_order_over_files_and_the_end(folder):
    layer = hdf5(folder)
    assert layer.infer_shapes([]) == [(4, 2, 2), (4,)]
    assert rows(layer, 6) == [i % 10 for i in range(24)]
    assert layer.next_batch()[1].dtype == np.float32  # of integers in the file


def test_a_batch_larger_than_the_source(folder):
    assert rows(hdf5(folder, "batch_size: 25"), 1) == [i % 10 for i in range(25)]


def test_in_a_net(folder, device, monkeypatch):
    monkeypatch.chdir(folder)
    layer = 'name: "h" type: "HDF5Data" top: "label" hdf5_data_param { source: "list.txt" batch_size: 4 }'
    net = Net(parse(f"layer {{ {layer} }}", NetParameter).message, device=device)
    net.forward()
    net.forward()
    assert net.blobs["label"].data.tolist() == [4, 5, 6, 7]


def test_shuffle_takes_every_row_once_an_epoch(folder):
    order = rows(hdf5(folder, "batch_size: 5 shuffle: true"), 8)
    epochs = [order[i : i + 10] for i in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert any({*epoch[:3]} != {0, 1, 2} for epoch in epochs)  # files change places
    assert any([r for r in epoch if 3 <= r < 8] != [3, 4, 5, 6, 7] for epoch in epochs)  # and rows in them
    assert rows(hdf5(folder, "batch_size: 5 shuffle: true", seed=2), 8) != order


@pytest.mark.parametrize("shuffle", ["true", "false"])
@pytest.mark.parametrize("record", [0, 3, 4, 9, 10, 27])
def test_resume_is_exact(folder, shuffle, record):
    fields = f"batch_size: 1 shuffle: {shuffle}"
    whole = rows(hdf5(folder, fields), 45)
    layer = hdf5(folder, fields)
    rows(layer, record)
    state = layer.state()
    assert state.record == record
    resumed = hdf5(folder, fields, seed=99)
    resumed.restore(state)
    assert rows(resumed, 18) == whole[record : record + 18]


def test_what_is_wrong_is_placed(folder):
    with pytest.raises(NetError, match=r"net.prototxt:1:\d+: .*batch_size must be at least 1"):
        hdf5(folder, "")
    with pytest.raises(NetError, match="HDF5Data transforms nothing"):
        hdf5(folder, outside="transform_param { scale: 2 }")
    with pytest.raises(DataError, match=r'net.prototxt:1:\d+: layer "h" .*0.h5: there is no dataset "dat"'):
        hdf5(folder, tops=["dat"]).infer_shapes([])
    with pytest.raises(DataError, match=r"list.txt:3: .*there is no 2.h5"):
        (folder / "2.h5").unlink()
        hdf5(folder).infer_shapes([])
