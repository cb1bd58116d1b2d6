from __future__ import annotations

import h5py
import numpy as np
import pytest

from brew.errors import NetError, ResourceError
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt import parse
from brew.testing import run_layer

random = np.random.default_rng(0)
DATA = random.standard_normal((4, 3, 2)).astype(np.float32)
LABEL = np.arange(4, dtype=np.float32)


def output(path):
    return f'type: "HDF5Output" hdf5_output_param {{ file_name: "{path.as_posix()}" }}'


def test_two_datasets_of_four_axes(tmp_path, device):
    run_layer(output(tmp_path / "x.h5"), [DATA, LABEL], device=device)
    with h5py.File(tmp_path / "x.h5") as file:
        assert np.array_equal(file["data"], DATA.reshape(4, 3, 2, 1))
        assert np.array_equal(file["label"], LABEL.reshape(4, 1, 1, 1))
        assert file["data"].dtype == np.float32


def test_more_axes_stay_and_types_too(tmp_path):
    data = random.standard_normal((2, 1, 2, 1, 3))
    run_layer(output(tmp_path / "x.h5"), [data, np.zeros(2)], dtype=np.float64)
    with h5py.File(tmp_path / "x.h5") as file:
        assert np.array_equal(file["data"], data)


def test_the_last_batch_is_what_stays(tmp_path, caplog):
    path = tmp_path / "x.h5"
    text = """
      layer { name: "in" type: "Input" top: "x" top: "y" input_param { shape { dim: 2 dim: 1 } } }
      layer { name: "out" bottom: "x" bottom: "y" %s }"""
    net = Net(parse(text % output(path), NetParameter, "net.prototxt").message)
    for value in range(3):
        net.forward(x=np.full((2, 1), value), y=np.full((2, 1), -value))
        with h5py.File(path) as file:
            assert file["data"][:, 0, 0, 0].tolist() == [value, value]
            assert file["label"][:, 0, 0, 0].tolist() == [-value, -value]
    assert caplog.text.count("holds one batch; each replaces the one before") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["x.h5"]


def test_what_is_read_back(tmp_path, monkeypatch):
    run_layer(output(tmp_path / "x.h5"), [DATA, LABEL])
    (tmp_path / "list.txt").write_text("x.h5")
    monkeypatch.chdir(tmp_path)
    source = 'type: "HDF5Data" top: "data" top: "label" hdf5_data_param { source: "list.txt" batch_size: 4 }'
    net = Net(parse(f'layer {{ name: "h" {source} }}', NetParameter).message)
    net.forward()
    assert np.array_equal(net.blobs["data"].data, DATA[..., None])


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(NetError, match="file_name is empty"):
        run_layer('type: "HDF5Output"', [DATA, LABEL])
    with pytest.raises(NetError, match=r"there is no folder .*none"):
        run_layer(output(tmp_path / "none" / "x.h5"), [DATA, LABEL])
    with pytest.raises(NetError, match=r'two bottoms with equal first axes; .*"bottom1" 3'):
        run_layer(output(tmp_path / "x.h5"), [DATA, LABEL[:3]])
    (tmp_path / "folder").mkdir()
    with pytest.raises(ResourceError, match=r"cannot write .*folder"):
        run_layer(output(tmp_path / "folder"), [DATA, LABEL])
