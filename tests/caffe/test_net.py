"""caffe.Net: the ways to make it, its names, its passes and their results, its weights."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

import brew.caffe as caffe
from brew.errors import UsageError

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
T = np.array([0, 1, 2, 3], np.float32)


def made(file: str, phase: int = caffe.TEST) -> caffe.Net:
    caffe.set_random_seed(7)
    try:
        return caffe.Net(file, phase)
    finally:
        caffe.set_random_seed(-1)


# --- making it --------------------------------------------------------------------------------------------------------


def test_every_form_of_the_constructor_gives_the_same_net(small: str, tmp_path: Path) -> None:
    weights = str(tmp_path / "w.caffemodel")
    made(small).save(weights)
    expected = made(small).forward(x=X, t=T)["prob"]
    nets = [
        caffe.Net(small, caffe.TEST, weights=weights),
        caffe.Net(small, weights, caffe.TEST),
        caffe.Net(small, caffe.TEST, 0, None, weights),
        caffe.Net(network_file=small, phase=caffe.TEST, level=0, stages=None, weights=weights),
        caffe.Net(network_file=small, weights=weights, phase=caffe.TEST),
    ]
    for net in nets:
        np.testing.assert_array_equal(net.forward(x=X, t=T)["prob"], expected)


def test_level_and_stages_choose_layers(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }\n'
        'layer { name: "a" type: "ReLU" bottom: "x" top: "a" include { stage: "s" } }\n'
        'layer { name: "b" type: "ReLU" bottom: "x" top: "b" include { min_level: 2 } }'
    )
    assert list(caffe.Net(str(file), caffe.TEST, stages=["s"]).top_names) == ["x", "a"]
    assert list(caffe.Net(str(file), caffe.TEST, level=2).top_names) == ["x", "b"]


def test_a_missing_file_is_a_runtime_error_as_in_pycaffe(small: str) -> None:
    with pytest.raises(RuntimeError, match=r"none\.prototxt"):
        caffe.Net("none.prototxt", caffe.TEST)
    with pytest.raises(RuntimeError, match=r"none\.caffemodel"):
        caffe.Net(small, caffe.TEST, weights="none.caffemodel")
    with pytest.raises(TypeError, match="wieghts"):
        caffe.Net(small, caffe.TEST, wieghts="none.caffemodel")


# --- what it shows ----------------------------------------------------------------------------------------------------


def test_names_are_caffes_splits_too(small: str) -> None:
    net = made(small)
    assert list(net._layer_names) == ["in", "ip", "ip_ip_0_split", "prob", "loss"]
    assert list(net.blobs) == ["x", "t", "ip", "ip_ip_0_split_0", "ip_ip_0_split_1", "prob", "loss"]
    assert list(net._blob_names) == list(net.blobs)
    assert net.inputs == ["x", "t"] and net.outputs == ["loss", "prob"]
    assert net._inputs == [0, 1] and net._outputs == [6, 5]
    assert net._top_ids(2) == [3, 4] and net._bottom_ids(4) == [4, 1]
    assert net.top_names["in"] == ["x", "t"] and net.bottom_names["prob"] == ["ip_ip_0_split_0"]
    assert [blob.shape for blob in net._blobs] == [blob.shape for blob in net.blobs.values()]
    assert net.blob_loss_weights == OrderedDict(dict.fromkeys(net.blobs, 0.0) | {"loss": 1.0})
    assert list(net._blob_loss_weights)[-1] == 1.0


def test_layers_have_a_type_and_their_blobs(small: str) -> None:
    net = made(small)
    assert [layer.type for layer in net.layers] == ["Input", "InnerProduct", "Split", "Softmax", "SoftmaxWithLoss"]
    assert [len(layer.blobs) for layer in net.layers] == [0, 2, 0, 0, 0]
    assert net.layers[1].blobs[0] is net.params["ip"][0]
    assert list(net.layer_dict) == list(net._layer_names) and net.layer_dict["ip"] is net.layers[1]
    with pytest.raises(AttributeError, match="InnerProduct has no attribute 'set_roidb'"):
        net.layers[1].set_roidb([])


def test_params_are_the_very_vectors_that_scripts_compare_with(small: str) -> None:
    from brew.caffe import _caffe

    net = made(small)
    assert list(net.params) == ["ip"]
    assert type(net.params["ip"]) is _caffe.BlobVec
    assert [blob.shape for blob in net.params["ip"]] == [(5, 3), (5,)]
    with pytest.raises(UsageError, match="shows what a net has"):
        net.params["ip"].add_blob(3)
    with pytest.raises(UsageError, match="a blob of 5 cannot take the place of one of 5 x 3"):
        net.params["ip"][0] = net.params["ip"][1]
    alone = _caffe.BlobVec()
    alone.add_blob(2, 3)
    assert alone[0].data.shape == (2, 3) and len(alone) == 1


def test_a_blob_put_into_params_gives_its_values(small: str, caplog: pytest.LogCaptureFixture) -> None:
    net, other = made(small), made(small)
    kept = net.params["ip"][0]
    other.params["ip"][0].data[...] = 7
    net.params["ip"][0] = other.params["ip"][0]
    net.params["ip"][1] = other.params["ip"][1]
    assert net.params["ip"][0] is kept and (kept.data == 7).all()
    other.params["ip"][0].data[...] = 8
    assert (kept.data == 7).all()
    assert sum("is given the values of another" in line for line in caplog.messages) <= 1


def test_a_python_layer_passes_on_to_the_users_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rois.py").write_text(
        "import brew.caffe as caffe\n"
        "class Rois(caffe.Layer):\n"
        "    def setup(self, bottom, top): self.roidb = None\n"
        "    def reshape(self, bottom, top): top[0].reshape(1)\n"
        "    def forward(self, bottom, top): top[0].data[...] = self.roidb\n"
        "    def set_roidb(self, roidb): self.roidb = roidb\n"
    )
    file = tmp_path / "net.prototxt"
    file.write_text('layer { name: "r" type: "Python" top: "r" python_param { module: "rois" layer: "Rois" } }')
    monkeypatch.syspath_prepend(str(tmp_path))
    net = caffe.Net(str(file), caffe.TRAIN)
    net.layers[0].set_roidb(5)
    assert net.forward()["r"] == 5
    net.layers[0].roidb = 6
    assert net.forward()["r"] == 6
    assert net.layers[0].type == "Python" and not net.layers[0].blobs


# --- passes -----------------------------------------------------------------------------------------------------------


def test_forward_gives_views_of_the_outputs_and_of_what_is_asked_for(small: str) -> None:
    net = made(small)
    out = net.forward(["ip"], x=X, t=T)
    assert set(out) == {"ip", "prob", "loss"}
    np.testing.assert_allclose(out["ip"], X @ net.params["ip"][0].data.T, rtol=1e-5)
    net.forward(x=2 * X, t=T)
    np.testing.assert_allclose(out["ip"], 2 * X @ net.params["ip"][0].data.T, rtol=1e-5)


def test_forward_from_a_layer_and_to_a_layer(small: str) -> None:
    net = made(small)
    net.blobs["x"].data[...] = X
    assert set(net.forward(end="ip")) == {"ip"}
    net.blobs["ip"].data[...] = 0
    assert set(net.forward(start="ip_ip_0_split", end="prob")) == {"prob"}
    np.testing.assert_allclose(net.blobs["prob"].data, 0.2)
    with pytest.raises(RuntimeError, match=r'no layer "ipp".*did you mean "ip"'):
        net.forward(end="ipp")
    with pytest.raises(RuntimeError, match=r'no blob "pro".*did you mean "prob"'):
        net.forward(["pro"])


def test_arguments_of_forward_are_all_inputs_of_one_batch(small: str) -> None:
    net = made(small)
    with pytest.raises(Exception, match=r"Input blob arguments do not match net inputs\. Given: x; the net's: x, t"):
        net.forward(x=X)
    with pytest.raises(Exception, match=r"Input is not batch sized: \"x\" has 4 items, 3 were given"):
        net.forward(x=X[:3], t=T)
    with pytest.raises(Exception, match=r'data for "x" is 4 x 2'):
        net.forward(x=X[:, :2], t=T)
    net.forward(x=X.reshape(4, 3, 1), t=T)
    np.testing.assert_array_equal(net.blobs["x"].data, X)
    net.forward(x=np.ones((4, 1)), t=T)  # repeated as NumPy repeats
    np.testing.assert_array_equal(net.blobs["x"].data, np.ones((4, 3)))


def test_views_outlast_a_reshape_to_a_smaller_size(small: str) -> None:
    net = made(small)
    large = net.forward(x=X, t=T)["prob"]
    kept = large.copy()
    net.blobs["x"].reshape(2, 3)
    net.blobs["t"].reshape(2)
    smaller = net.forward(x=X[:2], t=T[:2])["prob"]
    assert smaller.shape == (2, 5)
    np.testing.assert_allclose(large, kept, rtol=1e-6)  # the first two are made anew, the rest stay


def test_parts_of_the_loss(small: str) -> None:
    net = made(small)
    loss = net.forward(x=X, t=T)["loss"].item()
    assert net._forward(0, 3) == 0.0
    assert net._forward(0, 4) == pytest.approx(loss)


def test_backward_gives_the_gradients_of_inputs_or_of_a_layers_bottoms(forced: str) -> None:
    net = made(forced)
    net.forward(x=X, t=T)
    made_up = np.zeros((4, 5), np.float32)
    made_up[:, 2] = 1
    out = net.backward(["ip"], prob=made_up, loss=np.ones(()))
    assert set(out) == {"x", "t", "ip"}
    np.testing.assert_allclose(out["x"], out["ip"] @ net.params["ip"][0].data, rtol=1e-5)
    assert np.abs(out["x"]).max() > 0
    assert set(net.backward(start="ip", end="ip")) == {"x"}
    net._backward(4, 0)
    with pytest.raises(Exception, match=r"Top diff arguments do not match net outputs\. Given: prob"):
        net.backward(prob=made_up)
    with pytest.raises(Exception, match="Diff is not batch sized"):
        net.backward(prob=made_up[:1], loss=np.ones(()))


def test_a_gradient_that_no_layer_makes_is_told_once(small: str, caplog: pytest.LogCaptureFixture) -> None:
    net = made(small)
    net.forward(x=X, t=T)
    with caplog.at_level(logging.WARNING, "brew"):
        for _ in range(2):
            assert not net.backward()["x"].any()
    [record] = caplog.records
    assert '"x", "t"' in record.message and "force_backward" in record.message


def test_a_gradient_that_layers_make_is_not_told(forced: str, caplog: pytest.LogCaptureFixture) -> None:
    net = made(forced)
    net.forward(x=X, t=T)
    with caplog.at_level(logging.WARNING, "brew"):
        net.backward(["ip", "prob"])
    assert not caplog.records


def test_forward_all_takes_any_number_of_items(small: str) -> None:
    net = made(small)
    x, t = np.concatenate([X, X[::-1], X[:2]]), np.concatenate([T, T, T[:2]])
    out = net.forward_all(["ip"], x=x, t=t)
    np.testing.assert_allclose(out["ip"], x @ net.params["ip"][0].data.T, rtol=1e-5)
    assert out["prob"].shape == (10, 5)
    assert not net.blobs["x"].data[2:].any()  # filled up with zeros
    net.blobs["prob"].data[...] = 7
    assert out["prob"].max() <= 1  # copies
    with pytest.raises(UsageError, match="as many items are needed"):
        net.forward_all(x=x, t=t[:3])


def test_forward_backward_all(forced: str) -> None:
    net = made(forced)
    x, t = np.concatenate([X, X[:1]]), np.zeros(5)
    blobs, diffs = net.forward_backward_all(["ip"], ["ip"], x=x, t=t)
    assert blobs["ip"].shape == (5, 5) and diffs["x"].shape == (5, 3)
    np.testing.assert_allclose(diffs["x"], diffs["ip"] @ net.params["ip"][0].data, rtol=1e-5)
    np.testing.assert_allclose(diffs["x"][0], diffs["x"][4], rtol=1e-5)


def test_hooks_are_told_the_layers_number(small: str) -> None:
    net, calls = made(small), []
    net.before_forward(lambda layer: calls.append(("before", layer)))
    net.after_forward(lambda layer: calls.append(("after", layer)))
    net.before_backward(lambda layer: calls.append(("down", layer)))
    net.after_backward(caffe.NCCL(None, caffe.NCCL.new_uid()))
    net._forward(0, 1)
    net._backward(1, 1)
    assert calls == [("before", 0), ("after", 0), ("before", 1), ("after", 1), ("down", 1)]


def test_reshape_and_clear_param_diffs(small: str) -> None:
    net = made(small)
    net.blobs["x"].reshape(2, 3)
    net.blobs["t"].reshape(2)
    net.reshape()
    assert net.blobs["prob"].shape == (2, 5)
    net.params["ip"][0].diff[...] = 3
    net.clear_param_diffs()
    assert not net.params["ip"][0].diff.any()


def test_arrays_for_a_memory_data_layer(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(
        'layer { name: "d" type: "MemoryData" top: "d" top: "l" '
        "memory_data_param { batch_size: 2 channels: 1 height: 1 width: 3 } }"
    )
    net = caffe.Net(str(file), caffe.TEST)
    net.set_input_arrays(X.reshape(4, 1, 1, 3), T.reshape(4, 1, 1, 1))
    assert net.forward()["l"].tolist() == [0, 1]
    assert net.forward()["l"].tolist() == [2, 3]
    net.set_input_arrays(X.reshape(4, 1, 1, 3), T[::-1].copy())
    assert net.forward()["l"].tolist() == [3, 2]


# --- weights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w.caffemodel", "w.h5", "w"])
def test_what_is_saved_is_what_the_method_says(name: str, small: str, tmp_path: Path) -> None:
    net, other, file = made(small), made(small), tmp_path / name
    net.params["ip"][1].data[...] = 4
    net.save_hdf5(str(file))
    assert file.read_bytes()[:4] == b"\x89HDF"
    other.load_hdf5(str(file))
    np.testing.assert_array_equal(other.params["ip"][1].data, 4)
    file.unlink()
    net.save(str(file))
    assert b"small" in file.read_bytes()[:20]
    third = made(small)
    third.copy_from(str(file))
    np.testing.assert_array_equal(third.params["ip"][1].data, 4)


def test_nets_share_weights(small: str) -> None:
    net, other = made(small), caffe.Net(small, caffe.TEST)
    other.forward(x=X, t=T)
    other.share_with(net)
    before = net.forward(x=X, t=T)["prob"].copy()
    np.testing.assert_array_equal(other.forward(x=X, t=T)["prob"], before)
    net.params["ip"][1].data[0] += 2
    after = net.forward(x=X, t=T)["prob"]
    assert np.abs(after - before).max() > 0.1
    np.testing.assert_array_equal(other.forward(x=X, t=T)["prob"], after)
    assert other.params["ip"][1].data[0] == net.params["ip"][1].data[0]
