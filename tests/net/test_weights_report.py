"""What loading says and does when a file and a net are not the same: the report, all that differs, nothing half done."""

from __future__ import annotations

import logging
from pathlib import Path

import h5py
import numpy as np
import pytest

import brew
from brew import prototxt
from brew.net import weights
from brew.net.load_report import Outcome
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter, V1LayerParameter

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }\n'


def net_of(**outputs: int) -> Net:
    """A net of InnerProduct layers on one input of 3, by name and number of outputs; its weights are all 1."""
    text = INPUT + "\n".join(
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "x" top: "{name}"\n'
        f'  inner_product_param {{ num_output: {number} weight_filler {{ type: "constant" value: 1 }} }} }}'
        for name, number in outputs.items()
    )
    return Net(prototxt.parse(text, NetParameter, "n.prototxt"), brew.TEST)


def saved(path: Path, value: float = 7, **outputs: int) -> Path:
    net = net_of(**outputs)
    for blobs in net.params.values():
        for blob in blobs:
            blob.data[...] = value
    net.save(path)
    return path


def values(net: Net, name: str) -> set[float]:
    return {float(v) for v in net.params[name][0].data.flat}


def test_the_report_names_every_layer(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = saved(tmp_path / "w.caffemodel", both=2, theirs=5)
    net = net_of(both=2, mine=4)
    with caplog.at_level(logging.INFO, "brew"):
        report = weights.copy_into(net.parameters, file)
    assert {layer.name: layer.outcome for layer in report.layers} == {
        "both": Outcome.COPIED,
        "theirs": Outcome.SKIPPED,
        "mine": Outcome.LEFT,
    }
    assert [layer.elements for layer in report.layers] == [2 * 3 + 2, 5 * 3 + 5, 4 * 3 + 4]
    assert (report.left[0].in_net, report.left[0].in_file, report.left[0].path) == (((4, 3), (4,)), (), "")
    assert (values(net, "both"), values(net, "mine")) == ({7.0}, {1.0})
    assert "Ignoring source layer theirs" in caplog.messages
    table = caplog.records[-1]
    assert table.levelno == logging.WARNING
    assert table.getMessage() == report.text()
    assert report.text().splitlines() == [
        f"{file}: layers: 1 copied; 1 not in the net; 1 left at its filler",
        "  layer   outcome             in the file  in the net  numbers",
        "  both    copied              2 x 3, 2     2 x 3, 2          8",
        "  theirs  not in the net      5 x 3, 5     -                20",
        "  mine    left at its filler  -            4 x 3, 4         16",
    ]


def test_all_copied_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = saved(tmp_path / "w.caffemodel", a=2, b=3)
    with caplog.at_level(logging.INFO, "brew"):
        net_of(a=2, b=3).copy_from(file)
    assert caplog.messages == [f"{file}: layers: 2 copied"]


@pytest.mark.parametrize("ending", ["caffemodel", "h5", "safetensors"])
def test_all_that_differs_is_said_and_nothing_is_written(tmp_path: Path, ending: str):
    good = saved(tmp_path / f"good.{ending}", a=2, b=3, c=4)
    bad = saved(tmp_path / f"bad.{ending}", a=2, b=5, c=6)
    net = net_of(a=2, b=3, c=4)
    with pytest.raises(brew.BrewError) as caught:
        net.copy_from([good, bad])
    assert str(caught.value).count(str(bad)) == 4
    for said in ('"b", blob 0: the file has 5 x 3, the net 3 x 3', '"b", blob 1: the file has 5, the net 3',
                 '"c", blob 0: the file has 6 x 3, the net 4 x 3', 'name: "b_new"', "--ignore-mismatched"):  # fmt: skip
        assert said in str(caught.value)
    assert {name: values(net, name) for name in "abc"} == {"a": {1.0}, "b": {1.0}, "c": {1.0}}


def test_a_damaged_second_file_leaves_the_net_as_it_was(tmp_path: Path):
    file = saved(tmp_path / "w.caffemodel", a=2)
    (tmp_path / "cut.caffemodel").write_bytes(file.read_bytes()[:-5])
    net = net_of(a=2)
    with pytest.raises(brew.BrewError, match=r"cut\.caffemodel"):
        net.copy_from(f"{file}, {tmp_path / 'cut.caffemodel'}")
    assert values(net, "a") == {1.0}


def test_layers_that_do_not_fit_can_be_left(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = saved(tmp_path / "w.caffemodel", a=2, b=5)
    net = net_of(a=2, b=3)
    report = weights.copy_into(net.parameters, file, ignore_mismatched=True)
    assert (values(net, "a"), values(net, "b")) == ({7.0}, {1.0})
    assert [(layer.name, len(layer.faults)) for layer in report.mismatched] == [("b", 2)]
    assert (report.left, report.mismatched[0].elements) == ((), 3 * 3 + 3)
    assert "b      does not fit, left as it was  5 x 3, 5" in caplog.text
    with pytest.raises(brew.BrewError, match="none of its layers is in the net and fits; the file has a, b"):
        net_of(a=4, b=3).copy_from(file, ignore_mismatched=True)


def test_of_several_files_the_later_wins_and_only_what_none_has_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    first = saved(tmp_path / "1.caffemodel", 7, a=2, b=3)
    second = saved(tmp_path / "2.h5", 8, b=3, c=4)
    net = net_of(a=2, b=3, c=4)
    report = weights.copy_into(net.parameters, [first, second])
    assert [values(net, name) for name in "abc"] == [{7.0}, {8.0}, {8.0}]
    assert [(layer.name, Path(layer.path).name) for layer in report.copied] == [
        ("a", "1.caffemodel"), ("b", "1.caffemodel"), ("b", "2.h5"), ("c", "2.h5")]  # fmt: skip
    assert not caplog.records


def test_not_finite_is_one_warning_for_a_layer(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    net = net_of(a=2, b=3, c=4)
    net.params["a"][0].data[0, :] = [np.nan, np.inf, 3e38]
    net.params["a"][1].data[1] = -np.inf
    net.params["b"][0].data[...] = 3e38  # finite, though its square is not
    net.save(tmp_path / "w.caffemodel")
    net_of(a=2, b=3, c=4).copy_from(tmp_path / "w.caffemodel")
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'w.caffemodel'}: layer a holds NaN or infinity: 2 of 6 numbers of blob 0, 1 of 2 numbers of blob 1"
    ]


def test_doubles_too_large_for_float32_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["data/a/0"] = np.full((2, 3), 1e300)
        file["data/a/1"] = np.zeros(2)
    net_of(a=2).copy_from(tmp_path / "w.h5")
    assert "layer a holds NaN or infinity: 6 of 6 numbers of blob 0" in caplog.text


def test_files_of_2013_fit_right_aligned(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    old = NetParameter()
    layer = old.layers.add(name="a", type=V1LayerParameter.INNER_PRODUCT)
    layer.blobs.add(num=1, channels=1, height=2, width=3, data=range(6))
    layer.blobs.add(num=1, channels=1, height=1, width=2, data=[8, 9])
    (tmp_path / "old.caffemodel").write_bytes(old.SerializeToString())
    net = net_of(a=2)
    with caplog.at_level(logging.INFO, "brew"):
        net.copy_from(tmp_path / "old.caffemodel")
    assert [blob.data.tolist() for blob in net.params["a"]] == [[[0, 1, 2], [3, 4, 5]], [8, 9]]
    assert "in an earlier format of Caffe's" in caplog.text
    layer.blobs[0].num, layer.blobs[0].height = 2, 1
    (tmp_path / "old.caffemodel").write_bytes(old.SerializeToString())
    with pytest.raises(brew.BrewError, match="the file has 2 x 1 x 1 x 3, the net 2 x 3"):
        net.copy_from(tmp_path / "old.caffemodel")


def test_pieces_fit_together_on_every_device(tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch):
    """Layers of several pieces, the last of them short; doubles too; a host view taken before shows the new values."""
    monkeypatch.setattr("brew.files.weights.stored.PIECE", 4)
    text = INPUT + 'layer { name: "a" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 7 } }'
    for dtype in (np.float32, np.float64):
        source = Net(prototxt.parse(text, NetParameter, "n.prototxt"), brew.TEST, dtype=dtype)
        source.params["a"][0].data.flat = np.arange(21)
        source.params["a"][1].data[:] = [1, 2, 3, 4, 5, 6, np.nan]
        source.save(tmp_path / "w.caffemodel")
        net = Net(prototxt.parse(text, NetParameter, "n.prototxt"), brew.TEST, device=device)
        view = net.params["a"][0].data
        net.copy_from(tmp_path / "w.caffemodel")
        assert view.ravel().tolist() == list(range(21))
        np.testing.assert_array_equal(net.params["a"][1].data, source.params["a"][1].data)
