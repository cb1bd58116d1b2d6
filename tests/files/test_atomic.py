"""Writing fails at every call in turn: what was there stays, nothing is left behind, and it is said."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brew import prototxt
from brew.errors import ResourceError
from brew.files import atomic
from brew.files.overwriting import Kind
from brew.files.weights import hdf5
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.snapshots import latest, snapshot
from brew.solver.solver import Solver

ROOT = Path(__file__).resolve().parents[2]
ANY = Kind("a file", lambda path: True)

NET = """
net_param {{
  layer {{ name: "x" type: "DummyData" top: "x" dummy_data_param {{ shape {{ dim: 2 dim: 30 }} data_filler {{ type: "gaussian" }} }} }}
  layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ num_output: 40 weight_filler {{ type: "xavier" }} }} }}
  layer {{ name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 }}
}}
base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" max_iter: 100 random_seed: 3
snapshot_prefix: "{folder}/run" snapshot_format: {kind} snapshot_after_train: false
"""


@pytest.fixture(params=["BINARYPROTO", "HDF5"])
def solver(tmp_path: Path, request: pytest.FixtureRequest) -> Solver:
    made = Solver(prototxt.parse(NET.format(folder=tmp_path, kind=request.param), SolverParameter))
    made.step(2)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Failing:
    """Counts calls to the system that write, and makes one of them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch, self.calls, self.at, self.error = monkeypatch, 0, 0, errno.EIO
        for name in ("fsync", "replace", "link"):
            monkeypatch.setattr(os, name, self.counted(getattr(os, name)))
        opened = Path.open

        def opens(path: Path, mode: str = "r", **options: Any) -> Any:
            if set(mode).isdisjoint("wx"):
                return opened(path, mode, **options)
            stream = self.counted(opened)(path, mode, buffering=0, **options)
            return Stream(self, stream)

        monkeypatch.setattr(Path, "open", opens)

    def counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*arguments: Any, **options: Any) -> Any:
            self.check()
            return call(*arguments, **options)

        return checked

    def check(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise OSError(self.error, os.strerror(self.error))


class Stream:
    """A file whose writes are counted; the one that fails writes half."""

    def __init__(self, failing: Failing, stream: Any) -> None:
        self.failing, self.stream = failing, stream

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, piece: bytes | memoryview) -> int:
        try:
            self.failing.check()
        except OSError:
            self.stream.write(memoryview(piece)[: len(piece) // 2])
            raise
        return int(self.stream.write(piece))


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("replaces", [False, True])
def test_a_snapshot_fails_at_every_call(
    solver: Solver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaces: bool, error: int
):
    if replaces:
        solver.snapshot()
        solver.net.params["ip"][0].data[...] += 1  # the new weights are others
    files = snapshot.paths(solver.param.snapshot_prefix, 2, solver.param.snapshot_format)
    before = contents(tmp_path)
    failing, ways_around = Failing(monkeypatch), 0
    failing.error = error
    for number in range(1, 200):
        failing.calls, failing.at = 0, number
        try:
            solver.snapshot()
        except ResourceError as failed:
            assert os.strerror(error) in str(failed)
            if contents(tmp_path) == before:
                continue
            assert failing.calls == number, "more was done after the last call, that the rename be on disk, had failed"
        else:
            if failing.calls < number:
                break
            ways_around += 1
        assert latest.check(files.state).iteration == 2
        for path in tmp_path.iterdir():
            path.unlink()
        for name, data in before.items():
            (tmp_path / name).write_bytes(data)
    assert number > 20
    assert ways_around == replaces  # without second names, old weights are renamed
    assert latest.check(files.state).weights == files.weights
    assert {path.name for path in tmp_path.iterdir()} == {files.weights.name, files.state.name}


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """As a full disk: no file of this process grows beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_pair(solver: Solver, tmp_path: Path):
    files = solver.snapshot()
    before, sizes = contents(tmp_path), [path.stat().st_size for path in (files.weights, files.state)]
    solver.net.params["ip"][0].data[...] += 1
    for size in np.linspace(0, max(sizes) - 1, 25).astype(int).tolist():
        with file_size_limit(size), pytest.raises(ResourceError, match=os.strerror(errno.EFBIG)):
            solver.snapshot()
        assert contents(tmp_path) == before
    with file_size_limit(2 * max(sizes)):
        solver.snapshot()
    assert latest.check(files.state).state == files.state


def test_hdf5_on_a_full_disk_is_an_error_of_ours(tmp_path: Path):
    with (
        pytest.raises(OSError, match="File too large"),
        file_size_limit(300),
        hdf5.created(tmp_path / "x") as file,
    ):
        file.create_dataset("x", data=np.ones(1000))


def test_too_little_space_is_said_before_anything_is_written(
    solver: Solver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=9000))
    with pytest.raises(ResourceError, match=r"has 9000 bytes .* free, 1\d{4} bytes .* are needed"):
        solver.snapshot()
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=30000))
    assert solver.snapshot().state.exists()


def test_without_second_names_the_old_file_gets_another(
    solver: Solver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = latest.check(solver.snapshot().state)

    def fails(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", fails)
    kept = contents(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_take_back", fails)  # a crash, where nothing is put back
        patch.setattr(os, "replace", fails)
        with pytest.raises(ResourceError):
            solver.snapshot()
    assert not before.weights.exists()
    assert latest.check(before.state).weights == atomic.old_name(before.weights)
    solver.snapshot()
    assert contents(tmp_path).keys() == kept.keys()


def test_the_mode_is_what_the_umask_says(tmp_path: Path):
    old = os.umask(0o027)
    try:
        with atomic.replacing(tmp_path / "x", ANY) as temporary:
            temporary.write_text("x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640


def test_a_temporary_file_of_another_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda _: "0000")
    with atomic.replacing(tmp_path / "x", ANY) as temporary:
        temporary.write_text("mine")
        with pytest.raises(ResourceError, match="File exists"), atomic.replacing(tmp_path / "x", ANY):
            pass
    assert (tmp_path / "x").read_text() == "mine"


def test_only_what_dead_processes_left_is_removed(tmp_path: Path):
    program = "import sys; from brew.files import atomic; print(atomic._create_beside(atomic.Path(sys.argv[1])))"

    def left(name: str, **options: Any) -> Path:
        made = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / name)], capture_output=True, text=True, check=True,
            cwd=Path(__file__).parents[2], **options,
        )  # fmt: skip
        return Path(made.stdout.strip())

    dead = left("run_iter_5.caffemodel")
    others = left("walk_iter_5.caffemodel")
    living = atomic._create_beside(tmp_path / "run_iter_6.caffemodel")
    parent = Path(str(dead).replace(dead.name.split(".")[-4], str(os.getppid()), 1))
    before_us = Path(str(dead).replace(dead.name.split(".")[-3], str(os.getpid()), 1))
    elsewhere = Path(str(dead).replace(f".{atomic._host()}.", ".another-host.", 1))
    for path in (parent, before_us, elsewhere):
        path.touch()
    atomic.check_writable(tmp_path / "run")
    assert set(tmp_path.iterdir()) == {others, living, elsewhere} | ({parent} if parent != dead else set())


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        ("gone/run", "folder .*gone does not exist"),
        ("x" * 300, "name too long"),
        ("y" * 5000 + "/run", "name too long"),
    ],
)
def test_a_prefix_that_cannot_be_written_is_refused(tmp_path: Path, prefix: str, reason: str):
    with pytest.raises(ResourceError, match=f"(?i)cannot write snapshots to .*{reason}"):
        atomic.check_writable(tmp_path / prefix)


def test_a_folder_beside_is_gone_at_the_end_and_so_is_what_a_killed_process_left(tmp_path: Path) -> None:
    target, script = tmp_path / "train_lmdb", tmp_path / "killed.py"
    script.write_text(
        "import os, sys, signal\nfrom pathlib import Path\nfrom brew.files.atomic import folder_beside\n"
        "with folder_beside(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'data.mdb').write_bytes(b'x')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for _ in range(2):
        subprocess.run([sys.executable, script, target], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False)
        assert sum(path.is_dir() for path in tmp_path.iterdir()) == 1  # the second has removed the first one's
    with atomic.folder_beside(target) as folder, atomic.folder_beside(target) as other:
        assert folder.is_dir() and other.is_dir() and folder != other  # of a process that runs
        (folder / "a").mkdir()
    assert [path.name for path in tmp_path.iterdir()] == ["killed.py"]
