"""Labels that are missing, of no class, no whole numbers or all the same: for every data layer, in check and training."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from brew.checks.files import check as check_file
from brew.checks.records.check import Limits, check
from brew.checks.states import Options
from brew.data.databases.lmdb_writer import write_lmdb
from brew.errors import DataError
from brew.proto.brew_pb2 import Datum, SolverParameter
from brew.prototxt import parse
from brew.solver.solver import Solver

SOLVER = 'net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 1 random_seed: 1 snapshot_prefix: "s"'
SOFTMAX = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }'
GOOD = [0, 1, 2, 1, 2, 0, 1, 2, 0, 1, 2, 0]


def data(labels):
    """Records of an LMDB; a label of None is none."""
    datums = [Datum(channels=1, height=2, width=2, data=b"abcd", label=label) for label in labels]
    write_lmdb(Path("db"), ((b"%04d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)))
    return 'type: "Data" data_param { source: "db" batch_size: 4 }'


def hdf5(labels):
    with h5py.File("x.h5", "w") as h5:
        h5["data"] = np.zeros((len(labels), 1, 2, 2), np.uint8)
        h5["label"] = np.array(labels)
    Path("list.txt").write_text("x.h5\n")
    return 'type: "HDF5Data" hdf5_data_param { source: "list.txt" batch_size: 4 }'


def images(labels):
    Image.new("L", (2, 2)).save("a.png")
    Path("list.txt").write_text("".join(f"a.png {label}\n" for label in labels))
    return 'type: "ImageData" image_data_param { source: "list.txt" batch_size: 4 }'


def windows(labels):
    Image.new("L", (2, 2)).save("a.png")
    lines = "".join(f"{label} 1 0 0 1 1\n" for label in labels)
    Path("list.txt").write_text(f"# 0\na.png\n1\n2\n2\n{len(labels)}\n{lines}")
    source = 'window_data_param { source: "list.txt" batch_size: 4 fg_fraction: 1 }'
    return f'type: "WindowData" {source} transform_param {{ crop_size: 2 }}'


def net(layer, loss=SOFTMAX, outputs=3):
    Path("net.prototxt").write_text(
        f'layer {{ name: "d" top: "data" top: "label" {layer} }}\n'
        'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"\n'
        f'  inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }} }}\n{loss}\n'
    )


def found():
    """What `brew check` finds of labels, by code."""
    return {f.code: f for f in check_file("net.prototxt", Options()) if f.code in ("B227", "B229", "B230", "B231")}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def training(caplog):
    """The warnings of a training that begins."""

    def warnings():
        caplog.clear()
        solver = Solver(parse(SOLVER, SolverParameter))
        solver.net.close()
        return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]

    return warnings


@pytest.mark.parametrize("make", [data, hdf5, images, windows])
def test_good_labels(make, training):
    net(make([label + (make is windows) for label in GOOD]), outputs=4)
    assert found() == {} and training() == []


@pytest.mark.parametrize("make", [data, hdf5, images, windows])
def test_no_class(make, training):
    net(make([1, 2, 1, 2, 3, 1]))
    record = {data: "record '0004'", hdf5: "row 4 of x.h5", images: "list.txt:5", windows: "list.txt:11"}[make]
    message = f'layer "loss" (SoftmaxWithLoss): {record} has the label 3, the scores are of 3 classes, 0 to 2'
    assert {code: f.message for code, f in found().items()} == {"B227": message}
    [warning] = training()
    hint = "(num_output of the last layer is the number of classes, and labels count from 0)"
    assert warning.startswith("net.prototxt:4:") and warning.endswith(f": {message} {hint}")


@pytest.mark.parametrize("make", [data, hdf5, images])
def test_below_0(make):
    layer = make([1, 2, -1, 0])
    net(layer)
    assert "has the label -1" in found()["B227"].message
    net(layer, SOFTMAX.replace("top:", "loss_param { ignore_label: -1 } top:"))
    assert found() == {}


@pytest.mark.parametrize(
    "loss",
    [
        SOFTMAX,
        'layer { name: "loss" type: "HingeLoss" bottom: "ip" bottom: "label" top: "loss" }',
        'layer { name: "p" type: "Softmax" bottom: "ip" top: "p" }'
        'layer { name: "loss" type: "MultinomialLogisticLoss" bottom: "p" bottom: "label" top: "loss" }',
        'layer { name: "f" type: "Reshape" bottom: "label" top: "f" reshape_param { shape { dim: -1 dim: 1 } } }'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "f" top: "loss" }',
        SOFTMAX + 'layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" }',
    ],
)
def test_fractions(loss, training):
    net(hdf5([0, 1, 2, 0.5, 1]), loss)
    assert "row 3 of x.h5 has the label 0.5, which counts as class 0" in found()["B229"].message
    [warning] = training()
    assert "row 3 of x.h5 has the label 0.5" in warning and warning.startswith("net.prototxt:4:")


def test_real_targets_are_no_classes(training):
    net(hdf5([0, 1, 2, 0.5, 1]), SOFTMAX.replace("SoftmaxWithLoss", "EuclideanLoss"), outputs=1)
    assert found() == {} and training() == []


def test_nan_is_no_class():
    net(hdf5([0, 1, float("nan"), 0]))
    assert "row 2 of x.h5 has the label nan" in found()["B227"].message


@pytest.mark.parametrize("labels", [[None] * 12, [0, 1, None, 2] * 3])
@pytest.mark.parametrize("loss", [SOFTMAX, SOFTMAX.replace("SoftmaxWithLoss", "EuclideanLoss")])
def test_records_without_a_label(labels, loss, training):
    net(data(labels), loss, 3 if loss is SOFTMAX else 1)
    record = f"record '{labels.index(None):04d}'"
    assert f'{record} of layer "d" has no label, and counts as class 0' in found()["B230"].message
    [warning] = training()
    assert f"{record} of layer" in warning
    [report] = check(["db"])
    assert report.bad == 0 and report.labels == (None if None in labels[:1] else (0, 2))
    [report] = check(["db"], Limits(classes=3))
    assert report.bad == labels.count(None) and "it has no label; one from 0 to 2" in report.bad_records[0].reason


def test_labels_that_nobody_reads(training):
    net(data([None] * 12), 'layer { name: "s" type: "Silence" bottom: "label" }')
    assert "B230" not in found()
    assert not any("no label" in warning for warning in training())


@pytest.mark.parametrize("make", [data, hdf5, images])
@pytest.mark.parametrize("label", [0, 2])
def test_one_class_only(make, label, training):
    layer = make([label] * 12)
    net(layer)
    assert f'all 12 labels of layer "d" are {label}: there is nothing to tell apart' in found()["B231"].message
    assert len(training()) == 1


def test_scores_of_one_class():
    net(hdf5([0] * 12), outputs=1)
    assert "B231" not in found()


def test_long_databases_are_looked_at_in_part(training):
    net(data([1] * 300))
    assert 'the first 200 labels and the last of layer "d" are 1' in found()["B231"].message
    assert "the first 50 labels and the last" in training()[0]


def test_long_databases_that_end_in_another_class(training):
    net(data([1] * 299 + [2]))
    assert found() == {} and training() == []


def test_check_of_fractions_in_hdf5():
    hdf5([0, 1, 1.5, 2])
    [report] = check(["x.h5"], Limits(classes=3))
    assert [bad.reason for bad in report.bad_records] == ["the label 1.5 in row 2 is no whole number"]
    [report] = check(["x.h5"])
    assert report.bad == 0


def test_a_missing_dataset_of_labels():
    hdf5([0, 1])
    net('type: "HDF5Data" hdf5_data_param { source: "list.txt" batch_size: 4 }')
    Path("net.prototxt").write_text(Path("net.prototxt").read_text().replace('"label"', '"labels"'))
    [error] = [f for f in check_file("net.prototxt", Options()) if f.severity == "error"]
    assert 'no dataset "labels"' in error.message and 'it holds "data", "label"' in error.message
    with pytest.raises(DataError, match='no dataset "labels"'):
        Solver(parse(SOLVER, SolverParameter))
