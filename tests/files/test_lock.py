"""One training for one prefix: a second one is told of the first; the file of a killed one is no lock."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from brew.errors import UsageError
from brew.files import lock

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from brew.files import lock
with lock.training(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no flock")


def test_the_second_is_told_who_is_there(tmp_path: Path) -> None:
    prefix = str(tmp_path / "run")
    with lock.training(prefix):
        with (
            pytest.raises(UsageError, match=rf"process {os.getpid()} on .*, since \d{{4}}-.*run\.lock"),
            lock.training(prefix),
        ):
            pytest.fail("two of them")
        with lock.training(str(tmp_path / "other")):
            assert (tmp_path / "run.lock").exists()
    assert list(tmp_path.iterdir()) == []
    with lock.training(prefix):
        pass


def test_a_killed_one_leaves_none(tmp_path: Path) -> None:
    prefix = str(tmp_path / "run")
    command = [sys.executable, "-c", HOLD, prefix]
    with subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match=f"process {process.pid} on"), lock.training(prefix):
            pytest.fail("two of them")
        process.kill()
        process.wait()
    assert (tmp_path / "run.lock").exists()
    with lock.training(prefix):
        assert f"process {os.getpid()} on" in (tmp_path / "run.lock").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_file_removed_while_it_was_opened_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    path, real = tmp_path / "x", fcntl.flock
    calls = 0

    def flock(file: object, how: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            path.unlink()
        real(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", flock)
    taken = lock.take(path)
    assert taken is not None and calls == 2 and path.exists()
    taken.close()


@pytest.mark.parametrize(("number", "warned"), [(errno.ENOLCK, 1), (errno.ENOTSUP, 1), (errno.EROFS, 0)])
def test_where_there_are_no_locks_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int, warned: int
) -> None:
    def refuse(path: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock, "take", refuse)
    done = False
    with lock.training(str(tmp_path / "run")):
        done = True
    assert done and len(caplog.messages) == warned


@pytest.mark.parametrize("prefix", ["gone/run", "x" * 300, "nul\0"])
def test_a_prefix_that_cannot_be_is_left_to_those_who_write_there(
    tmp_path: Path, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with lock.training(str(tmp_path / prefix)):
        assert caplog.messages == []
