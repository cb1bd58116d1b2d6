"""`brew compute_image_mean` through the command line: Caffe's file to the byte, channel means, mixed sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brew.data.databases.lmdb_writer import write_lmdb
from brew.data.hdf5.writer import write_datasets
from brew.data.images.encoding import encode
from brew.files.weights.caffemodel import read_blob
from brew.proto.brew_pb2 import AnnotatedDatum, Datum

Run = Callable[..., Any]
REFERENCE = Path(__file__).parents[1] / "fixtures" / "conformance" / "data"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def stored(*datums: Datum) -> None:
    write_lmdb(Path("db"), [(b"%08d" % i, datum.SerializeToString()) for i, datum in enumerate(datums)])


def test_the_file_is_that_of_caffes_program(brew_run: Run) -> None:
    outcome = brew_run("compute_image_mean", "-backend=lmdb", str(REFERENCE / "raw_lmdb"), "mean.binaryproto")
    assert outcome.code == 0
    assert Path("mean.binaryproto").read_bytes() == (REFERENCE / "mean.binaryproto").read_bytes()
    lines = [f"mean_value channel [{i}]: {value}" for i, value in enumerate(("121.527", "124.377", "132.181"))]
    assert outcome.out.splitlines() == ["Number of channels: 3", *lines]
    assert all(f"] {line}\n" in outcome.err for line in ("Starting iteration", "Processed 10 files.", *lines))
    assert brew_run("compute-image-mean", str(REFERENCE / "encoded_lmdb"), "mean.npy").code == 0
    assert (np.load("mean.npy").ravel() == read_blob("mean.binaryproto").data.ravel()).all()
    assert np.load("mean.npy").shape == (3, 10, 9)


def test_floats_and_files_are_averaged_too(brew_run: Run) -> None:
    stored(
        Datum(channels=1, height=1, width=2, float_data=[0.5, -4]), Datum(channels=1, height=1, width=2, data=b"\1\2")
    )
    assert brew_run("compute_image_mean", "db", "mean.npy").out.endswith("mean_value channel [0]: -0.125\n")
    assert np.load("mean.npy").tolist() == [[[0.75, -1]]]


def test_gray_files_stay_gray(brew_run: Run) -> None:
    gray = np.array([[[7, 9]]], np.uint8)
    stored(Datum(data=encode(gray, "png"), encoded=True))
    assert brew_run("compute_image_mean", "db", "mean.npy").code == 0
    assert np.load("mean.npy").tolist() == [[[7, 9]]]


def test_sums_are_of_single_precision(brew_run: Run) -> None:
    """2^24 + 1 is 2^24 there: two such records and a third of 1 give what Caffe's loop gives."""
    one = Datum(channels=1, height=1, width=1, float_data=[1])
    stored(Datum(channels=1, height=1, width=1, float_data=[2**24]), one, one)
    assert brew_run("compute_image_mean", "db", "mean.npy").code == 0
    assert np.load("mean.npy").item() == np.float32(2**24) / np.float32(3)


def test_what_goes_wrong(brew_run: Run) -> None:
    sized = [Datum(channels=1, height=h, width=1, data=bytes(h)) for h in (2, 2, 3)]
    stored(*sized)
    outcome = brew_run("compute_image_mean", "db", "mean.binaryproto")
    assert outcome.code == 3 and "record '00000002' is 1 x 3 x 1, the first one 1 x 2 x 1" in outcome.err
    assert not Path("mean.binaryproto").exists()
    Path("thesis.txt").write_text("years of work\n")
    reference = str(REFERENCE / "raw_lmdb")
    assert brew_run("compute_image_mean", reference, "thesis.txt").code == 7
    assert brew_run("compute_image_mean", reference, "none/mean.npy").code == 7
    assert brew_run("compute_image_mean", "thesis.txt").code == 3
    assert brew_run("compute_image_mean", "nowhere").code == 3
    assert brew_run("compute_image_mean", "-backend=lmbd", reference).code == 2


def test_pictures_with_boxes_and_hdf5_have_means_too(brew_run: Run) -> None:
    pixels = np.arange(2, dtype=np.uint8).reshape(1, 1, 2)
    annotated = AnnotatedDatum(type=AnnotatedDatum.BBOX, datum=Datum(data=encode(pixels, "png"), encoded=True))
    write_lmdb(Path("db"), [(b"0", annotated.SerializeToString())])
    write_datasets(Path("d.h5"), {"data": np.array([pixels, pixels + 2], np.float32), "label": np.zeros(2)})
    for source, mean in (("db", [[[0, 1]]]), ("d.h5", [[[1, 2]]])):
        assert brew_run("compute_image_mean", source, "mean.npy").code == 0
        assert np.load("mean.npy").tolist() == mean
