"""The net inside a .caffemodel, of every age, without its values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import brew
from brew.errors import WeightsError
from brew.files.weights.stored_net import read_stored_net
from brew.proto.brew_pb2 import BlobProto, LayerParameter, NetParameter, V0LayerParameter, V1LayerParameter

VALUES = BlobProto(num=1, channels=1, height=1, width=3, data=[1, 2, 3])


def written(net: NetParameter, folder: Path) -> Path:
    path = folder / "x.caffemodel"
    path.write_bytes(net.SerializeToString())
    return path


def test_layers_of_today(tmp_path: Path) -> None:
    layer = LayerParameter(name="ip", type="InnerProduct", bottom=["x"], top=["y"], blobs=[VALUES, VALUES])
    layer.inner_product_param.num_output = 300  # whose field stands behind the blobs'
    found = read_stored_net(written(NetParameter(name="net", layer=[layer, layer]), tmp_path))
    assert (found.name, len(found.layer)) == ("net", 2)
    assert [len(each.blobs) for each in found.layer] == [0, 0]
    layer.ClearField("blobs")
    assert found.layer[1] == layer


def test_layers_of_2014_and_2013(tmp_path: Path) -> None:
    v1 = V1LayerParameter(name="ip", type="INNER_PRODUCT", bottom=["x"], top=["y"], blobs=[VALUES])
    v0 = V1LayerParameter(
        layer=V0LayerParameter(name="old", type="innerproduct", num_output=7, blobs=[VALUES]), top=["z"]
    )
    found = read_stored_net(written(NetParameter(layers=[v1, v0]), tmp_path))
    assert [len(each.blobs) for each in found.layers] == [0, 0]
    assert len(found.layers[1].layer.blobs) == 0
    assert (found.layers[0].name, found.layers[1].layer.num_output) == ("ip", 7)


def test_splits_of_2014_go(tmp_path: Path) -> None:
    split = V1LayerParameter(name="s", type="SPLIT", bottom=["x"], top=["x_data_0_split_0", "x_data_0_split_1"])
    reader = V1LayerParameter(name="r", type="RELU", bottom=["x_data_0_split_1"], top=["y"])
    own = V1LayerParameter(name="t", type="SPLIT", bottom=["y"], top=["left", "right"])
    found = read_stored_net(written(NetParameter(layers=[split, reader, own]), tmp_path))
    assert [(layer.name, list(layer.bottom)) for layer in found.layers] == [("r", ["x"]), ("t", ["y"])]


def test_what_brew_writes_makes_the_net_again(tmp_path: Path) -> None:
    (
        tmp_path / "net.prototxt"
    ).write_text("""layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
      layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 4
        weight_filler { type: "xavier" } } }
      layer { name: "b" type: "ReLU" bottom: "a" top: "b" } layer { name: "c" type: "TanH" bottom: "a" top: "c" }""")
    net = brew.Net(str(tmp_path / "net.prototxt"), brew.TEST, seed=1)
    net.save(tmp_path / "x.caffemodel")
    again = brew.Net(read_stored_net(tmp_path / "x.caffemodel"), brew.TEST, weights=str(tmp_path / "x.caffemodel"))
    x = np.ones((2, 3), np.float32)
    assert again.outputs == net.outputs
    assert [layer.name for layer in read_stored_net(tmp_path / "x.caffemodel").layer] == ["x", "a", "b", "c"]
    np.testing.assert_array_equal(again.forward(x=x)["c"], net.forward(x=x)["c"])


def test_files_that_hold_no_net(tmp_path: Path) -> None:
    alone = written(NetParameter(layer=[LayerParameter(name="ip", blobs=[VALUES])]), tmp_path)
    with pytest.raises(WeightsError, match="weights alone"):
        read_stored_net(alone)
    whole = alone.read_bytes()
    for broken in (whole[:-3], b"\x07" + whole, b""):
        alone.write_bytes(broken)
        with pytest.raises(WeightsError):
            read_stored_net(alone)
