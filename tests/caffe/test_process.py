"""What pycaffe keeps for the whole process: the mode, the log, the timer; and the names that a script may ask for."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest

import brew.caffe as caffe
from brew import cuda
from brew.caffe import logs, mode
from brew.net import mode as core

# All that pycaffe's own `caffe` has.
NAMES = (
    "Net SGDSolver NesterovSolver AdaGradSolver RMSPropSolver AdaDeltaSolver AdamSolver get_solver NCCL Timer Layer "
    "layer_type_list set_mode_cpu set_mode_gpu set_device set_random_seed init_log log solver_count set_solver_count "
    "solver_rank set_solver_rank set_multiprocess has_nccl __version__ TRAIN TEST proto "
    "Classifier Detector NetSpec layers params to_proto io draw net_spec coord_map classifier detector pycaffe _caffe"
)


@pytest.fixture
def level() -> Iterator[None]:
    logger = logging.getLogger("brew")
    before = logger.level, [*logger.handlers]
    yield
    logger.setLevel(before[0])
    logger.handlers[:] = before[1]


def test_the_names_are_there() -> None:
    for name in NAMES.split():
        assert getattr(caffe, name) is not None, name
        assert name in dir(caffe)
    assert {*NAMES.split()} - {"__version__", "_caffe"} == {*caffe.__all__}
    with pytest.raises(AttributeError, match="module 'caffe' has no attribute 'Neet'"):
        _ = caffe.Neet
    assert caffe.__version__ == "1.0.0"
    assert (str(caffe.TRAIN), str(caffe.TEST)) == ("0", "1")
    assert caffe.proto.caffe_pb2.NetParameter().layer is not None
    assert caffe.proto.caffe_pb2.TEST == caffe.TEST
    assert "Python" in caffe.layer_type_list()


def test_without_a_gpu_one_warning_and_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cuda, "why_not", lambda: "no driver")
    monkeypatch.setattr(mode, "_process", mode._Process())
    with caplog.at_level(logging.WARNING, "brew"):
        caffe.set_mode_gpu()
        caffe.set_device(0)
        caffe.set_mode_gpu()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "no driver" in caplog.text and "the CPU computes" in caplog.text
    assert core.default_device() == "cpu"


def test_with_a_gpu_nothing_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    used: list[int] = []
    monkeypatch.setattr(cuda, "why_not", lambda: None)
    monkeypatch.setattr(cuda, "use_device", used.append)
    monkeypatch.setattr(core, "_mode", core._Mode())
    caffe.set_device(1)
    caffe.set_mode_gpu()
    assert core.default_device() == "cuda" and used == [1] and not caplog.records
    caffe.set_mode_cpu()
    assert core.default_device() == "cpu"


def test_counts_are_kept() -> None:
    caffe.set_solver_count(3)
    caffe.set_solver_rank(2)
    caffe.set_multiprocess(True)
    assert (caffe.solver_count(), caffe.solver_rank(), mode.multiprocess()) == (3, 2, True)
    caffe.set_solver_count(1)
    caffe.set_solver_rank(0)
    caffe.set_multiprocess(False)


@pytest.mark.usefixtures("level")
def test_the_log_begins_at_a_level(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("brew")
    monkeypatch.setattr(logger, "propagate", False)
    logger.handlers.clear()
    caffe.init_log(1)
    caffe.log("unseen")
    logger.warning("seen")
    caffe.init_log(0, True)
    caffe.log("seen too")
    assert capsys.readouterr().err.splitlines() == ["WARNING: seen", "INFO: seen too"]


@pytest.mark.usefixtures("level")
@pytest.mark.parametrize(("value", "expected"), [("2", logging.ERROR), ("1", logging.WARNING), ("0", logging.NOTSET)])
def test_glogs_environment_holds(value: str, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    logging.getLogger("brew").setLevel(logging.NOTSET)
    monkeypatch.setenv("GLOG_minloglevel", value)
    logs.heed_environment()
    assert logging.getLogger("brew").level == expected


def test_the_timer_counts_milliseconds() -> None:
    timer = caffe.Timer()
    timer.stop()
    assert timer.ms == 0
    timer.start()
    time.sleep(0.02)
    timer.stop()
    spent = timer.ms
    assert 20 <= spent < 2000
    time.sleep(0.01)
    assert timer.ms == spent
