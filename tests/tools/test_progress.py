"""Commands that may take long show on a terminal how far they are; the last line says all is done."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brew.tools.cli import main
from brew.tools.parts.command import Settings
from brew.tools.parts.live import bar

Run = Callable[..., Any]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command on a terminal and gives what its stderr showed."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")

    def run(*args: str) -> str:
        terminal = _Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        with pytest.raises(SystemExit):
            main(args)
        return terminal.getvalue()

    return run


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("time", "--model", "net.prototxt", "--iterations", "3"), ("steps", "layers")),
        (("test", "--model", "net.prototxt", "--weights", "tiny_iter_20.caffemodel"), ("batches",)),
        (("diff", "tiny_iter_20.caffemodel", "tiny_iter_20.caffemodel"), ("blobs",)),
        (("diff", "tiny_iter_20.solverstate", "tiny_iter_20.solverstate"), ("blobs",)),
        (("report", "solver.prototxt", "--weights", "tiny_iter_20.caffemodel"), ("testing net #0",)),
    ],
)
def test_bars(command: tuple[str, ...], what: tuple[str, ...], folder: Path, brew_run: Run, shown: Run) -> None:
    brew_run("train", "solver.prototxt")
    said = shown(*command)
    assert all(word in said for word in what) and "ETA" in said
    assert "batches" not in brew_run(*command).err.replace("Batch", "")


def test_a_still_bar_is_drawn_within_calls_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = _Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with bar(Settings(), still=True) as progress:
        progress("steps", 1, 3)
        before = terminal.getvalue()
        for done in (2, 2, 2):  # sooner than a quarter of a second after
            progress("steps", done, 3)
        assert "steps" in before and terminal.getvalue() == before
        progress("steps", 3, 3)
        assert terminal.getvalue() != before
