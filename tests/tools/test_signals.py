"""Two signals end a training, whatever hangs; a process that may start no thread says so."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brew.cpu.workers import Workers

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., Any]

# A thread that hangs in a read, as of a network drive, and that Python waits for at the exit.
HANGS = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from brew.tools.parts.signals import handled
class Solver:
    def request(self, action): pass
hanging = ThreadPoolExecutor(1)
with handled(Solver(), "stop", "snapshot", own_process=True):
    waiting = hanging.submit(time.sleep, 1000)
    print("ready", flush=True)
    try:
        waiting.result()
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_the_second_one_ends_it(first: signal.Signals, second: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", HANGS], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    process.send_signal(first)
    time.sleep(0.5)
    assert process.poll() is None  # the first one waits for the iteration
    process.send_signal(second)
    assert process.wait(30) == 128 + first
    process.stdout.close()


def test_no_thread_can_be_started(brew_run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert brew_run("data", "get", "digits", ".").code == 0

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    outcome = brew_run("train", "--solver", "solver.prototxt")
    assert outcome.code == 7, outcome.err
    assert "thread" in outcome.err and "ulimit" in outcome.err


def test_fewer_threads_do_the_same_work(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    start = threading.Thread.start

    def refuse_the_second(self: threading.Thread) -> None:
        if self.name.endswith("-2"):
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse_the_second)
    workers = Workers(4)
    done: list[int] = []
    workers.each(lambda item, thread: done.append(item), range(50))
    assert sorted(done) == [*range(50)] and workers.threads == 4
    assert "2 threads instead of 4: can't start new thread" in caplog.text


def test_a_traceback_that_cannot_be_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    from brew.tools.parts import report

    def no_room(*_: object, **__: object) -> list[str]:
        raise MemoryError

    monkeypatch.setattr("traceback.format_exception", no_room)
    assert report.save_traceback(ValueError("x")) is None
