"""Subnormal numbers count as 0 while a net computes, on every thread, and afterwards are what they were."""

from __future__ import annotations

import logging
import platform
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from brew import prototxt
from brew.cpu import subnormals
from brew.cpu.workers import Workers
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter

HERE = platform.machine() == "x86_64" and sys.platform == "linux"
SUBNORMAL = np.float32(1e-39)
NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 16 dim: 20 dim: 20 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "y"
        convolution_param { num_output: 32 kernel_size: 3 weight_filler { type: "xavier" } } }
"""


def kept() -> bool:
    """Whether this thread keeps a subnormal number."""
    return bool((np.full(64, SUBNORMAL) * np.float32(1)).all())


def net(weight: float) -> Net:
    made = Net(prototxt.parse(NET, NetParameter), 1, seed=1)
    made.params["c"][0].data[...] = weight
    made.blobs["x"].data[...] = 1
    return made


def test_a_pass_flushes_and_puts_back() -> None:
    assert kept()
    with subnormals.flushed():
        assert kept() is not HERE
        with subnormals.flushed():
            pass
        assert kept() is not HERE, "an inner pass ends"
    assert kept()


def test_an_error_puts_back_too() -> None:
    with pytest.raises(KeyError), subnormals.flushed():
        raise KeyError
    assert kept()


def test_other_threads_do_as_the_one_that_they_work_for() -> None:
    seen: list[bool] = []
    pool, ready = Workers(2), threading.Barrier(2)

    def ask(_: int, thread: int) -> None:
        ready.wait(10)  # so that each thread takes one
        seen.append(kept())

    pool.each(ask, range(2))
    with subnormals.flushed():
        pool.each(ask, range(2))
    pool.each(ask, range(2))
    assert seen == [True, True, not HERE, not HERE, True, True]


@pytest.mark.onednn
@pytest.mark.parametrize("number", [2, 3])
def test_all_of_openmps_threads_flush(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where their number grows from one pass to another, and from the second pass on."""
    monkeypatch.setenv("OMP_NUM_THREADS", str(number))
    made = net(1e-39)
    for _ in range(3):
        made.blobs["y"].data[...] = 1
        made.forward()
        assert made.blobs["y"].data.any() is not np.bool_(HERE)


@pytest.mark.onednn
def test_results_below_the_least_number_are_zero() -> None:
    made = net(1e-39)
    made.forward()
    if HERE:
        assert not made.blobs["y"].data.any()
    assert kept()
    assert (made.params["c"][0].data == SUBNORMAL).all(), "weights stay what they are"


def test_what_is_not_subnormal_stays() -> None:
    made = net(1e-30)
    made.forward()
    np.testing.assert_allclose(made.blobs["y"].data, 16 * 9 * 1e-30, rtol=1e-4)


def test_it_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = net(1e-39)
    made.save(tmp_path / "w.caffemodel")
    with caplog.at_level(logging.INFO, "brew"):
        net(1).copy_from(tmp_path / "w.caffemodel")
    assert [r.message for r in caplog.records if "count as 0" in r.message] == [
        "Weights below 1.2e-38 count as 0: 100 % of c."
    ]
    caplog.clear()
    made.params["c"][0].data[...] = 1e-20
    made.save(tmp_path / "w.caffemodel")
    with caplog.at_level(logging.INFO, "brew"):
        net(1).copy_from(tmp_path / "w.caffemodel")
    assert not any("count as 0" in r.message for r in caplog.records)
