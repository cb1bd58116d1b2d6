"""`brew data check`: classes, channels, records that are there twice, a net's classes, the mean image."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from brew.data.databases.lmdb_writer import write_lmdb
from brew.datasets.annotated import annotated_datum
from brew.datasets.geometry import placement
from brew.datasets.sources.items import Box
from brew.files.weights.caffemodel import read_blob
from brew.proto.brew_pb2 import Datum

Run = Callable[..., "object"]


def picture(number: int, size: int = 32) -> np.ndarray:
    """(3, size, size): smooth, and unlike those of other numbers."""
    small = np.random.default_rng(number).integers(20, 230, (3, 4, 4), np.uint8)
    return np.kron(small, np.ones((1, size // 4, size // 4), np.uint8))


def raw(pixels: np.ndarray, label: int | None = None) -> bytes:
    channels, height, width = pixels.shape
    made = Datum(channels=channels, height=height, width=width, data=pixels.tobytes())
    if label is not None:
        made.label = label
    return made.SerializeToString()


def jpeg(pixels: np.ndarray, label: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))).save(out, "JPEG", quality=80)
    return Datum(data=out.getvalue(), encoded=True, label=label).SerializeToString()


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten records, seven of class 0, and three classes by name."""
    monkeypatch.chdir(tmp_path)
    write_lmdb(tmp_path / "train_lmdb", [(b"%08d" % i, raw(picture(i), int(i > 6))) for i in range(10)])
    (tmp_path / "train_lmdb" / "labels.txt").write_text("cat\ndog\nbird\n")
    return tmp_path / "train_lmdb"


def test_classes_and_channels_are_counted(brew_run: Run, train: Path) -> None:
    outcome = brew_run("data", "check", "train_lmdb")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert "    0 cat  7  " + "█" * 30 in lines
    assert "    1 dog  3  " + "█" * 13 in lines
    assert "  no record is of the class bird" in lines
    pixels = np.stack([picture(i) for i in range(10)]).transpose(1, 0, 2, 3).reshape(3, -1).astype(float)
    mean, deviation = (", ".join(f"{v:.4g}" for v in values) for values in (pixels.mean(1), pixels.std(1)))
    assert f"  channels: mean {mean}; standard deviation {deviation} (blue, green, red)" in lines


def test_many_classes_are_cut_to_the_most_and_the_fewest(brew_run: Run, tmp_path: Path) -> None:
    labels = [label for label in range(40) for _ in range(label + 1)]
    small = np.zeros((1, 1, 1), np.uint8)
    write_lmdb(tmp_path / "x_lmdb", [(b"%08d" % i, raw(small, label)) for i, label in enumerate(labels)])
    out = brew_run("data", "check", str(tmp_path / "x_lmdb"), "--no-compare").out
    assert "classes: 40" in out and "and 20 between these" in out
    assert "\n    39  40  ██" in out and "\n    0    1  █" in out and "\n    20  21" not in out


def test_the_same_and_nearly_the_same_across_train_and_test(brew_run: Run, train: Path, tmp_path: Path) -> None:
    records = [(b"a", raw(picture(2), 0)), (b"b", raw(picture(3), 1)), (b"c", jpeg(picture(4), 0)),
               (b"d", raw(picture(77), 1))]  # fmt: skip
    write_lmdb(tmp_path / "test_lmdb", records)
    outcome = brew_run("data", "check", "train_lmdb", "test_lmdb")
    assert outcome.code == 0, outcome.err
    assert "2 records repeat others: 2 of another source, 1 with another label" in outcome.out
    assert "  test_lmdb: b (1) = train_lmdb: 00000003 (0 cat)" in outcome.out
    assert "  test_lmdb: a (0) = train_lmdb: 00000002 (0 cat)" in outcome.out
    assert "1 picture is nearly the same as another: 1 of another source" in outcome.out
    assert "  test_lmdb: c (0) ~ train_lmdb: 00000004 (0 cat)" in outcome.out
    assert "repeat" not in brew_run("data", "check", "train_lmdb", "test_lmdb", "--no-compare").out
    assert "and 1 more" in brew_run("data", "check", "train_lmdb", "test_lmdb", "--limit", "1").out


def test_rows_of_hdf5_are_compared_and_counted(brew_run: Run, train: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = np.stack([picture(50), picture(51), picture(50), picture(5)])
        file["label"] = np.array([4, 4, 5, 4], np.int32)
    out = brew_run("data", "check", "x.h5", "train_lmdb").out
    assert "x.h5: x.h5: row 2 = x.h5: x.h5: row 0" in out and "train_lmdb: 00000005 (0 cat) = x.h5: x.h5: row 3" in out
    assert "\n    4  3  " in out and "\n    5  1  " in out


def test_boxes_are_counted_by_class(brew_run: Run, tmp_path: Path) -> None:
    boxes = [Box(1, 0, 0, 9, 9), Box(1, 2, 2, 9, 9), Box(3, 1, 1, 5, 5)]
    record = annotated_datum(Datum.FromString(raw(picture(0))), boxes, placement((32, 32), None, "warp"))
    write_lmdb(tmp_path / "boxes_lmdb", [(b"0", record.SerializeToString())])
    (tmp_path / "boxes_lmdb" / "labels.txt").write_text("background\none\ntwo\nthree\n")
    outcome = brew_run("data", "check", str(tmp_path / "boxes_lmdb"), "--classes", "4")
    assert outcome.code == 0, outcome.out
    assert "1 one    2  " in outcome.out and "3 three  1  " in outcome.out
    assert "no record is of the class two\n" in outcome.out
    assert brew_run("data", "check", str(tmp_path / "boxes_lmdb"), "--classes", "3").code == 1


NET = """
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "elsewhere" batch_size: 2 }
        transform_param { crop_size: 8 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: %d } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" loss_param { %s } }
"""


def test_labels_must_be_classes_of_the_net(brew_run: Run, train: Path) -> None:
    Path("two.prototxt").write_text(NET % (2, ""))
    Path("one.prototxt").write_text(NET % (1, ""))
    Path("ignoring.prototxt").write_text(NET % (1, "ignore_label: 1"))
    assert brew_run("data", "check", "train_lmdb", "--net", "two.prototxt").code == 0
    outcome = brew_run("data", "check", "train_lmdb", "--net", "one.prototxt")
    assert outcome.code == 1 and "00000007: label 1: 0 to 0 are allowed" in outcome.out
    assert brew_run("data", "check", "train_lmdb", "--net", "ignoring.prototxt").code == 0
    assert brew_run("data", "check", "train_lmdb", "--net", "two.prototxt", "--classes", "2").code == 2
    Path("none.prototxt").write_text('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }')
    assert brew_run("data", "check", "train_lmdb", "--net", "none.prototxt").code == 2


def test_the_mean_image_is_that_of_compute_image_mean(brew_run: Run, train: Path) -> None:
    outcome = brew_run("data", "check", "train_lmdb", "--write-mean", "mean.binaryproto")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "mean.binaryproto"), outcome.err
    assert brew_run("compute_image_mean", "train_lmdb", "other.binaryproto").code == 0
    assert Path("mean.binaryproto").read_bytes() == Path("other.binaryproto").read_bytes()
    assert brew_run("data", "check", "train_lmdb", "--write-mean", "mean.npy").code == 0
    expected = np.stack([picture(i) for i in range(10)]).mean(axis=0)
    np.testing.assert_allclose(np.load("mean.npy"), expected, rtol=1e-6)
    assert read_blob(Path("mean.binaryproto")).shape == (1, 3, 32, 32)


def test_means_that_cannot_be(brew_run: Run, train: Path, tmp_path: Path) -> None:
    write_lmdb(tmp_path / "odd_lmdb", [(b"0", raw(picture(0, 8))), (b"1", raw(picture(1, 12)))])
    outcome = brew_run("data", "check", "odd_lmdb", "--write-mean", "mean.npy")
    assert outcome.code == 3 and "3 x 12 x 12" in outcome.err and not Path("mean.npy").exists()
    assert brew_run("data", "check", "train_lmdb", "odd_lmdb", "--write-mean", "mean.npy").code == 2
    Path("mean.binaryproto").write_text("mine")
    assert brew_run("data", "check", "train_lmdb", "--write-mean", "mean.binaryproto").code == 7
    assert Path("mean.binaryproto").read_text() == "mine"
