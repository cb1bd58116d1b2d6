"""Weights by layer name, in both formats: shared parameters, names, files that are damaged."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

import brew
from brew import prototxt
from brew.files.weights import caffemodel, hdf5
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "ya" param { name: "w" }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } bias_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "x" top: "yb" param { name: "w" } phase: TRAIN
  inner_product_param { num_output: 3 bias_filler { type: "xavier" } } }
"""


def net_of(text: str = NET, phase: int = brew.TEST, **options: object) -> Net:
    return Net(prototxt.parse(text, NetParameter, "n.prototxt"), phase, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", ["caffemodel", "caffemodel.h5"])
def test_a_bias_beside_a_shared_weight_comes_back(tmp_path: Path, ending: str, caplog: pytest.LogCaptureFixture):
    net = net_of(seed=1)
    net.save(tmp_path / f"w.{ending}")
    other = net_of(seed=2, weights=[tmp_path / f"w.{ending}"])
    for name in ("a", "b"):
        for mine, theirs in zip(net.params[name], other.params[name], strict=True):
            np.testing.assert_array_equal(mine.data, theirs.data)
    assert not caplog.messages


def test_layers_that_own_nothing_are_not_missed(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    text = NET.replace('param { name: "w" }', 'param { name: "w" } param { name: "v" }')
    net_of(text).save(tmp_path / "w.h5")
    net_of(text, weights=tmp_path / "w.h5")
    assert not caplog.messages


def test_a_blob_of_its_own_must_be_there(tmp_path: Path):
    net_of().save(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "a") as file:
        del file["data/b/1"]
        file["data/b/0"] = np.zeros((3, 3), np.float32)
    with pytest.raises(brew.BrewError, match='layer "b" stores 1 blobs, the net\'s has 2'):
        net_of(weights=tmp_path / "w.h5")


def test_multipliers_are_stored_as_they_were_written(tmp_path: Path):
    text = NET.replace('"yb" param { name: "w"', '"yb" param { name: "w" lr_mult: 3')
    net = net_of(text)
    assert net.graph.params[0].lr_mult == 3
    net.save(tmp_path / "w.caffemodel")
    stored = NetParameter.FromString((tmp_path / "w.caffemodel").read_bytes())
    assert [p.HasField("lr_mult") for layer in stored.layer for p in layer.param] == [False, True]


def test_a_layers_own_phase_is_stored(tmp_path: Path):
    net_of().save(tmp_path / "w.caffemodel")
    stored = NetParameter.FromString((tmp_path / "w.caffemodel").read_bytes())
    assert {layer.name: layer.phase for layer in stored.layer if layer.name in "ab"} == {
        "a": brew.TEST,
        "b": brew.TRAIN,
    }


@pytest.mark.parametrize("name", ["a/b", "é/ü", "a/../b", "0"])
def test_names_hdf5_can_hold_come_back(tmp_path: Path, name: str):
    net = net_of(NET.replace('"b"', f'"{name}"'), seed=1)
    net.save(tmp_path / "w.h5")
    other = net_of(NET.replace('"b"', f'"{name}"'), seed=2, weights=tmp_path / "w.h5")
    np.testing.assert_array_equal(net.params[name][1].data, other.params[name][1].data)


@pytest.mark.parametrize("name", ["a/0", "a/0/b", "/c", "c//d", ".", "", "c\\000"])
def test_names_hdf5_cannot_hold_are_refused(tmp_path: Path, name: str):
    with pytest.raises(brew.BrewError, match="HDF5 cannot hold a layer named"):
        net_of(NET.replace('"b"', f'"{name}"')).save(tmp_path / "w.h5")
    assert not list(tmp_path.iterdir())


def test_a_file_name_is_needed():
    with pytest.raises(brew.BrewError, match="a file name is needed"):
        net_of().save("")
    with pytest.raises(brew.BrewError, match="name is empty"):
        net_of(weights="")


def test_a_comma_in_the_name_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    net = net_of(seed=1)
    for name in ("pretrained, end-to-end.caffemodel", "a.caffemodel", "b.caffemodel"):
        net.save(name)
        net.params["b"][1].data[:] += 1  # what the next file has
    for names, first in (("pretrained, end-to-end.caffemodel", 0), ("a.caffemodel, b.caffemodel", 2)):
        bias = net_of(weights=names).params["b"][1].data
        np.testing.assert_allclose(bias + 3 - first, net.params["b"][1].data, rtol=1e-6)


def test_two_layers_with_weights_cannot_have_one_name():
    with pytest.raises(brew.BrewError, match=r'n.prototxt:5:\d+: layer "a" .*another layer with parameters'):
        net_of(NET.replace('"b"', '"a"'))


@pytest.mark.parametrize(
    ("name", "value"),
    [("brew_resume", np.frombuffer(b"\xff\xff\xff", np.uint8)), ("brew_resume", b"x"), ("iter", np.zeros(0, np.int32)),
     ("iter", None), ("history/0", h5py.Empty("f"))],
)  # fmt: skip
def test_damaged_hdf5_states_are_errors_of_ours(tmp_path: Path, name: str, value: object):
    path = tmp_path / "s.solverstate.h5"
    hdf5.write_solver_state(path, 1, "w", [np.zeros(2, np.float32)], 0, caffemodel.ResumeState())
    with h5py.File(path, "a") as file:
        del file[name]
        if value is None:
            file.create_group(name)
        else:
            file[name] = value
    with pytest.raises(brew.BrewError, match=r"s\.solverstate\.h5"):
        hdf5.read_solver_state(path)


SCALARS = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [2, 3] } } }
layer { name: "prelu" type: "PReLU" bottom: "x" top: "p" prelu_param { channel_shared: true filler { value: 0.7 } } }
layer { name: "scale" type: "Scale" bottom: "p" top: "s" scale_param { num_axes: 0 filler { value: 3 } } }
layer { name: "bias" type: "Bias" bottom: "s" top: "b" bias_param { num_axes: 0 filler { value: 5 } } }
"""


@pytest.mark.parametrize("ending", ["caffemodel", "h5", "safetensors"])
def test_scalar_blobs(ending: str, tmp_path: Path):
    def net() -> Net:
        return Net(prototxt.parse(SCALARS, NetParameter), brew.TEST)

    first, path = net(), tmp_path / f"w.{ending}"
    first.save(path)
    second = net()
    for blobs in second.params.values():
        blobs[0].data[...] = 0
    second.copy_from(path)
    assert {name: float(blobs[0].data) for name, blobs in second.params.items()} == pytest.approx(
        {"prelu": 0.7, "scale": 3, "bias": 5}
    )
    if ending == "caffemodel":  # a shape without axes kills OpenCV 4.14; four of 1 fit Caffe's scalars and its tensors
        for layer in NetParameter.FromString(path.read_bytes()).layer[1:]:
            (blob,) = layer.blobs
            assert (blob.num, blob.channels, blob.height, blob.width) == (1, 1, 1, 1)
            assert blob.HasField("width") and not blob.HasField("shape") and len(blob.data) == 1
        theirs = NetParameter.FromString(path.read_bytes())  # as Caffe writes it
        for layer in theirs.layer[1:]:
            for field in ("num", "channels", "height", "width"):
                layer.blobs[0].ClearField(field)
            layer.blobs[0].shape.SetInParent()
        path.write_bytes(theirs.SerializeToString())
        net().copy_from(path)
