"""A training says how long it waited for its data: nothing where batches are made as fast as they are used."""

from __future__ import annotations

import io
import json
import logging
import re
import time

import numpy as np
import pytest
from PIL import Image

from brew.data.record_source import RecordSource
from brew.proto.brew_pb2 import Datum, SolverParameter
from brew.prototxt import parse
from brew.solver.metrics import Metrics
from brew.solver.solver import Solver

NET = """
name: "n" layer { name: "data" type: "Data" top: "x" top: "t" data_param { source: "db" batch_size: 2 prefetch: %d } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" }
"""


@pytest.fixture
def trained(make_lmdb, tmp_path, monkeypatch, caplog):
    """`trained(prefetch)`: the log and the metrics of 40 iterations."""
    stream = io.BytesIO()
    Image.fromarray(np.zeros((6, 6, 3), np.uint8)).save(stream, "PNG")
    make_lmdb([Datum(data=stream.getvalue(), encoded=True, label=i % 2) for i in range(4)])
    monkeypatch.chdir(tmp_path)

    def train(prefetch):
        (tmp_path / "net.prototxt").write_text(NET % prefetch)
        text = (
            'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 40 display: 10 snapshot_after_train: false'
        )
        solver = Solver(parse(text, SolverParameter))
        solver.watch(Metrics(tmp_path / "m.jsonl", 0))
        with caplog.at_level(logging.INFO, "brew"):
            solver.solve()
        lines = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
        return caplog.messages, lines

    return train


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_slow_source(trained, prefetch, monkeypatch):
    begin = RecordSource.begin

    def slow(self, batch):
        time.sleep(0.04)
        return begin(self, batch)

    monkeypatch.setattr(RecordSource, "begin", slow)
    messages, lines = trained(prefetch)
    [told] = [m for m in messages if m.startswith("Waited for data")]
    waited, of, percent = map(float, re.findall(r"[\d.]+", told))
    assert 1.3 < waited < of < 60 and percent > 20
    assert lines[-1]["kind"] == "stop" and abs(lines[-1]["data_wait_seconds"] - waited) < 0.06
    shown = [line["data_wait_seconds"] for line in lines if line["kind"] == "train"]
    assert sum(shown) <= lines[-1]["data_wait_seconds"] and min(shown[1:]) > 0.3
    [warning] = [m for m in messages if "the training waited" in m]
    assert re.search(r'layer "data" \(Data\): the training waited [\d.]+ s for its batches, \d+ % of its time', warning)
    assert "what would help: data_param { cache_mib: 1 } keeps all images in memory" in warning


def test_a_source_that_keeps_up(trained, monkeypatch):
    from brew.solver.iteration import Iteration

    run = Iteration.run

    def slow(self, every):
        time.sleep(0.02)
        return run(self, every)

    monkeypatch.setattr(Iteration, "run", slow)
    messages, lines = trained(4)
    [told] = [m for m in messages if m.startswith("Waited for data")]
    waited, of = map(float, re.findall(r"[\d.]+", told)[:2])
    assert waited <= 0.2 * of  # 0 but for the moments when other processes have the processors
    assert waited > 0.04 * of or not any("the training waited" in m for m in messages)
    assert abs(lines[-1]["data_wait_seconds"] - waited) < 0.06
