"""The first three batches of BVLC Caffe's Data and ImageData layers, for every database and transformation (TEST phase)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brew.data.databases import leveldb
from brew.layer import TEST, Context
from brew.layer.registry import layer_class
from brew.proto.brew_pb2 import NetParameter
from brew.prototxt import read

FOLDER = Path(__file__).parents[1] / "fixtures/conformance/data"
CASES = sorted(f.stem for f in FOLDER.glob("*.prototxt"))


def test_every_case_is_collected():
    assert len(CASES) == 21


@pytest.mark.parametrize("case", CASES)
def test_first_batches(case):
    check(case)


def test_leveldb_without_its_library(monkeypatch):
    monkeypatch.setattr(leveldb, "has_plyvel", lambda: False)
    check("raw_leveldb.plain")


def check(case):
    (param,) = read(FOLDER / f"{case}.prototxt", NetParameter).message.layer
    layer = layer_class(param.type)(param, Context(phase=TEST, folder=FOLDER))
    reference = np.load(FOLDER / "batches.npz")
    assert layer.infer_shapes([])[0] == reference[f"{case}/0/data"].shape
    for k in range(3):
        data, label = layer.next_batch()
        expected = reference[f"{case}/{k}/data"]
        assert np.abs(data - expected).max() <= 1e-4 * max(1, np.abs(expected).max())
        assert label.tolist() == reference[f"{case}/{k}/label"].tolist()
    layer.close()
