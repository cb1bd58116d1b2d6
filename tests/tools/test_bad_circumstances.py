"""Faults of the machine and of the user, not of files: 24, 25, 27 and 28 of the list, and circumstances of all kinds."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cuda_host import fake_cupy, host_cuda

from brew.cuda import door

ROOT = Path(__file__).parents[2]
Run = Callable[..., Any]

NET = """name: "n"
layer { name: "data" type: "DummyData" top: "data" top: "target" dummy_data_param {
        shape { dim: 2 dim: 5 } shape { dim: 2 dim: 3 }
        data_filler { type: "constant" value: %s } data_filler { type: "constant" value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "target" top: "loss" }
"""
SOLVER = 'net: "net.prototxt"\nbase_lr: 0.01\nlr_policy: "fixed"\nmax_iter: 2\nsnapshot_prefix: "s"\n'
TRAIN = [sys.executable, "-m", "brew", "train", "--solver", "solver.prototxt"]
PATHS = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`write(net, solver)`: the working directory with both files."""
    monkeypatch.chdir(tmp_path)

    def files(net: str = NET % 1, solver: str = SOLVER) -> None:
        Path("net.prototxt").write_text(net)
        Path("solver.prototxt").write_text(solver)

    return files


# --- running: 24, 25, 27 ----------------------------------------------------------------------------------------------


def test_24_a_loss_that_is_not_finite(brew_run: Run, write: Callable[..., None]) -> None:
    write(NET % 1e30)
    outcome = brew_run("train", "--solver", "solver.prototxt")
    assert outcome.code == 4, outcome.err
    assert re.search(r"iteration 0.*(inf|nan).*first.*loss", outcome.err), outcome.err
    assert "no update has been made yet" in outcome.err and "base_lr" not in outcome.err


SLEEPER = """import time
from brew.python_layer import PythonLayer
class Sleeper(PythonLayer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(1)
    def forward(self, bottom, top):
        print("in forward", flush=True)
        time.sleep(SECONDS)
    def backward(self, top, propagate_down, bottom): pass
"""
SLEEPING = """layer { name: "z" type: "Python" top: "z" python_param { module: "sleeper" layer: "Sleeper" } }
"""


@contextmanager
def training(seconds: float, solver: str) -> Iterator[subprocess.Popen[str]]:
    """A training in a process of its own whose iterations take so long, in the middle of one."""
    Path("sleeper.py").write_text(SLEEPER.replace("SECONDS", str(seconds)))
    Path("net.prototxt").write_text(NET % 1 + SLEEPING)
    Path("solver.prototxt").write_text(SOLVER.replace("max_iter: 2", "max_iter: 100000") + solver)
    with subprocess.Popen(
        TRAIN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=PATHS
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "in forward\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_27_a_second_signal_ends_at_once(first: int, write: Callable[..., None]) -> None:
    write()
    with training(60, "") as process:
        process.send_signal(first)
        time.sleep(0.5)
        assert process.poll() is None, "the first waits for the iteration"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_25_killed_while_it_writes_snapshots(brew_run: Run, write: Callable[..., None]) -> None:
    write()
    with training(0, "snapshot: 1\n") as process:
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
        process.kill()
        process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    states = sorted(Path().glob("s_iter_*.solverstate"), key=lambda path: int(path.stem.rpartition("_")[2]))
    latest = int(states[-1].stem.rpartition("_")[2])
    outcome = brew_run(
        "train", "--solver", "solver.prototxt", "--snapshot", str(states[-1]), "--set", f"max_iter={latest + 1}"
    )
    assert outcome.code == 0, outcome.err
    assert Path(f"s_iter_{latest + 1}.caffemodel").is_file()
    assert not list(Path().glob(".*tmp*")), "what was left half written is gone"


# --- GPU: 28 ----------------------------------------------------------------------------------------------------------


def answer(count: int | None) -> SimpleNamespace:
    def devices() -> int:
        if count is None:
            raise RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
        return count

    return SimpleNamespace(cuda=SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=devices)))


GPUS = {
    "28 no CuPy": (None, r"CuPy is not installed.*pip install \"brew-caffe\[cuda13\]\""),
    "28 no driver": (answer(None), r"driver does not answer.*cudaErrorInsufficientDriver"),
    "28 no device": (answer(0), "sees no device"),
}


@pytest.mark.parametrize("case", GPUS, ids=str)
def test_gpus_that_cannot_be_used(
    case: str, brew_run: Run, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    module, message = GPUS[case]
    monkeypatch.setitem(sys.modules, "cupy", module)
    with door.install(None, None):
        outcome = brew_run("train", "--solver", "solver.prototxt", "--gpu", "0")
    assert outcome.code == 6, outcome.err
    assert re.search(message, outcome.err), outcome.err
    assert "Traceback" not in outcome.err


class OutOfMemoryError(Exception):
    """Named as CuPy's own."""


def test_28_no_room_on_the_gpu(brew_run: Run, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OutOfMemoryError("Out of memory allocating 4,000 bytes")

    write()
    with host_cuda(seed=1):
        for name in ("empty", "zeros"):
            monkeypatch.setattr(fake_cupy, name, full)
        outcome = brew_run("train", "--solver", "solver.prototxt", "--gpu", "0")
    assert outcome.code == 7, outcome.err
    assert re.search(r"no room for \d+ bytes more.*batch_size", outcome.err, re.S), outcome.err


# --- circumstances ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a b  c", "Köln", "日本語", "it's", "-x", "50%", "a,b", "{}", "a\tb"])
def test_folders_of_any_name(name: str, brew_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    Path(name, "net.prototxt").write_text(NET % 1)
    Path(name, "solver.prototxt").write_text(SOLVER.replace('"s"', '"."'))
    outcome = brew_run("train", f"--solver=./{name}/solver.prototxt")
    assert outcome.code == 0, outcome.err
    assert Path("solver_iter_2.caffemodel").is_file()


def test_a_tilde_in_a_source_is_ones_home(
    brew_run: Run, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    Path("home").mkdir()
    shutil.move("net.prototxt", "home/net.prototxt")
    monkeypatch.setenv("HOME", str(Path("home").absolute()))
    Path("solver.prototxt").write_text(SOLVER.replace('"net.prototxt"', '"~/net.prototxt"'))
    assert brew_run("train", "--solver", "solver.prototxt").code == 0
    Path("solver.prototxt").write_text(SOLVER.replace('"net.prototxt"', '"~nobody-of-that-name/net.prototxt"'))
    outcome = brew_run("train", "--solver", "solver.prototxt")
    assert outcome.code == 3
    assert "~nobody-of-that-name" in outcome.err


def test_a_net_beside_its_solver_is_a_second_try_that_is_told(
    brew_run: Run, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    outcome = brew_run("train", "--solver", "../solver.prototxt")
    assert outcome.code == 0
    assert "net.prototxt is taken from .." in outcome.err


def test_the_clock_goes_backwards(brew_run: Run, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    write(solver=SOLVER + "display: 1\n")
    seconds = iter(range(2_000_000_000, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(seconds)))
    outcome = brew_run("train", "--solver", "solver.prototxt")
    assert outcome.code == 0, outcome.err
    assert "-" not in "".join(re.findall(r"\((.*) iter/s", outcome.err)), "no speed is negative"


@pytest.mark.parametrize("circumstance", [
    "a read-only home", "one processor", "no terminal at all", "a locale of commas", "no temporary folder",
])  # fmt: skip
def test_it_trains_all_the_same(circumstance: str, write: Callable[..., None]) -> None:
    write(solver=SOLVER + "display: 1\n")
    environment, prepare = dict(PATHS), None
    match circumstance:
        case "a read-only home":
            Path("home").mkdir(mode=0o500)
            environment |= {"HOME": str(Path("home").absolute()), "XDG_CACHE_HOME": ""}
        case "one processor":

            def prepare() -> None:
                os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

        case "no terminal at all":
            environment |= {"TERM": "dumb", "COLUMNS": "0"}
        case "a locale of commas":
            environment |= {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}
        case _:
            environment |= {"TMPDIR": "/nowhere"}
    done = subprocess.run(TRAIN, env=environment, preexec_fn=prepare, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r"loss = \d+\.\d", done.stderr)
    assert Path("s_iter_2.caffemodel").is_file()


def test_the_reader_of_stdout_goes_away() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "brew", "layers"], stdout=write, stderr=subprocess.PIPE, env=PATHS, timeout=60
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_stdout_was_closed_from_the_start(write: Callable[..., None]) -> None:
    write()
    done = subprocess.run(
        TRAIN, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=PATHS, timeout=60, preexec_fn=lambda: os.close(1)
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert Path("s_iter_2.caffemodel").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(("solver", "code"), [("solver.prototxt", 0), ("gone.prototxt", 3)])
def test_the_disk_under_stderr_is_full(solver: str, code: int, write: Callable[..., None]) -> None:
    write()
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*TRAIN[:-1], solver], stdout=subprocess.DEVNULL, stderr=full, env=PATHS, timeout=60)
    assert done.returncode == code
