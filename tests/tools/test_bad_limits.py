"""`brew train`'s limits: memory, bad records, one training for one prefix."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brew.data.databases.lmdb_writer import write_lmdb
from brew.files import lock
from brew.proto.brew_pb2 import Datum

Run = Callable[..., Any]


def test_9_a_net_over_max_memory_is_refused_before_it_is_made(brew_run: Run, folder: Path) -> None:
    net = (folder / "net.prototxt").read_text().replace("num_output: 2 ", "num_output: 4000000 ")
    (folder / "net.prototxt").write_text(net.replace("dim: 4 dim: 2 ", "dim: 4 dim: 4000000 "))
    outcome = brew_run("train", "-solver=solver.prototxt", "--max-memory", "64M")
    assert outcome.code == 7
    assert re.search(
        r"B700\]: a net needs \d+ MiB, max_memory is 64.0 MiB; the largest layers: ip \d+ MiB", outcome.err
    )
    assert brew_run("train", "-solver=solver.prototxt", "--max-memory", "lots").code == 3


def test_21_bad_records_are_passed_over_up_to_the_limit(brew_run: Run, folder: Path) -> None:
    good = Datum(channels=6, height=1, width=1, data=bytes(6)).SerializeToString()
    write_lmdb(folder / "lmdb", [(b"%d" % i, good if i % 2 else good[:-3]) for i in range(6)])
    net = (folder / "net.prototxt").read_text()
    start, end = net.index("layer {"), net.index('layer { name: "ip"')
    layers = """layer { name: "data" type: "Data" top: "data" data_param { source: "lmdb" backend: LMDB batch_size: 4 } }
      layer { name: "target" type: "DummyData" top: "target" dummy_data_param { shape { dim: 4 dim: 2 } } }"""
    (folder / "net.prototxt").write_text(net[:start] + layers + net[end:])
    for options, place in (
        (["--max-bad-records=2"], "is bad record number 3"),
        ([], "--max-bad-records of brew train"),
    ):
        outcome = brew_run("train", "-solver=solver.prototxt", *options)
        assert outcome.code == 3 and place in outcome.err
    outcome = brew_run("train", "-solver=solver.prototxt", "-max_bad_records", "3", "-q")
    assert outcome.code == 0
    assert outcome.err.count("at most 3 is passed over") == 6  # three each in the train net and in the test net
    assert "record '4'" in outcome.err


def test_a_second_training_for_the_prefix_is_refused(brew_run: Run, folder: Path) -> None:
    with lock.training("tiny"):
        outcome = brew_run("train", "-solver=solver.prototxt")
        assert outcome.code == 2
        assert 'another training writes snapshots to "tiny": process' in outcome.err
        assert brew_run("train", "-solver=solver.prototxt", "--set", "snapshot_prefix=other").code == 0
    assert brew_run("train", "-solver=solver.prototxt").code == 0
    assert not list(folder.glob("*.lock"))


def test_a_training_that_fails_gives_the_prefix_back(brew_run: Run, folder: Path) -> None:
    assert brew_run("train", "-solver=solver.prototxt", "--set", "base_lr=1e30").code == 4
    assert not list(folder.glob("*.lock"))


@pytest.mark.parametrize("option", ["--max-bad-records=-1", "--max-bad-records=some"])
def test_a_limit_that_is_none(brew_run: Run, folder: Path, option: str) -> None:
    assert brew_run("train", "-solver=solver.prototxt", option).code == 2
