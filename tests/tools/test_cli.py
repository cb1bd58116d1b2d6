"""The frame of the command line: spellings, suggestions, errors, exit codes, and how little it loads."""

from __future__ import annotations

import errno
import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from brew.errors import NetError, Place
from brew.tools import cli, data
from brew.tools.cli import main
from brew.tools.parts.command import Group, Settings
from brew.tools.parts.report import block

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., Any]
GROUPS = [("", cli.brew), (" data", data.verb)]


@pytest.mark.parametrize("args", [["--help"], ["data", "--help"], ["--version"]])
def test_help_loads_little_and_no_verb(args: list[str]) -> None:
    script = f"import sys\nfrom brew.tools.cli import main\ntry: main({args})\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "click" in loaded
    assert len(loaded) < 200  # modules, 143 today: a count is the same on a busy machine, and seconds are not
    assert not {"numpy", "rich", "google.protobuf", "cupy", "lmdb", "h5py", "logging", "tempfile", "json"} & loaded
    verbs = {listed.module for _, group in GROUPS for listed in group.lazy.values()} - {"brew.tools.data"}
    assert not verbs & loaded


@pytest.mark.parametrize(("path", "group"), GROUPS)
def test_help_says_of_a_verb_what_its_own_help_says(path: str, group: Group) -> None:
    context = click.Context(group, **group.context_settings)
    for name, listed in group.lazy.items():
        verb = group.get_command(context, name)
        assert verb is not None and verb.help
        assert not verb.short_help and not verb.hidden, f"brew{path} --help does not read it: {listed}"
        if listed.help:
            assert listed.help == verb.get_short_help_str(1000)
        if not listed.hidden:
            assert f"\n  {name} " in context.get_help()


def test_brew_alone_prints_help_and_names_the_verbs(brew_run: Run) -> None:
    alone = brew_run()
    assert alone.code == 0
    assert alone.out == brew_run("-h").out
    assert all(f"\n  {verb} " in alone.out for verb in ("train", "test", "time", "devices", "data"))
    assert not any(line.endswith("...") for line in alone.out.splitlines()[2:])  # cut short


def test_help_shows_two_dashes_only(brew_run: Run) -> None:
    out = brew_run("train", "--help").out
    assert "--sigint-effect" in out
    assert not re.search(r"(?<!-)-[a-z]{2,}|sigint_effect", re.sub(r"\w-\w", "", out))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["trian"], 'no such command "trian"; did you mean "train"?'),
        (["data", "gte"], 'did you mean "get"?'),
        (["train", "--sovler", "s"], "--solver"),
        (["train", "-sovler", "s"], "Did you mean '--solver'?"),
        (["train", "-sovler=s"], "No such option '-sovler'"),
        (["train", "-solver=s", "-sigint_effect", "sotp"], 'Did you mean "stop"?'),
        (["train"], "Missing option '--solver'"),
        (["train", "-solver"], "requires an argument"),
        (["train", "-solver=s", "-weights=a", "-snapshot=b"], "cannot be given together"),
        (["train", "-solver=s", "-snapshot=a.caffemodel"], "not a solver's state"),
        (["train", "-solver=s", "-weights=x.caffemodel,a.solverstate"], "not weights"),
        (["train", "-solver=s", "-gpu", "0,1"], "not supported yet"),
        (["train", "-solver=s", "-gpu", "zero"], "not"),
        (["time", "-model=m", "-shape", "64x3"], "BLOB:NxCxHxW"),
        (["test", "-model=m", "-weights=w", "-iterations", "0"], "0 is not in the range"),
    ],
)
def test_usage_errors_are_one_block_and_exit_2(brew_run: Run, args: list[str], says: str) -> None:
    outcome = brew_run(*args)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("error[B020]: ")
    assert says in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("spelling", ["-solver no.prototxt", "-solver=no.prototxt", "--solver=no.prototxt -q"])
def test_caffes_spellings_reach_the_verb(brew_run: Run, folder: Path, spelling: str) -> None:
    outcome = brew_run("train", "-sigint_effect", "snapshot", "--sighup_effect=none", *spelling.split())
    assert outcome.code == 3
    assert "no.prototxt" in outcome.err


def test_the_environment_gives_options(brew_run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREW_TRAIN_SOLVER", "elsewhere.prototxt")
    assert "elsewhere.prototxt" in brew_run("train").err


def test_an_error_is_a_block_with_line_caret_and_hint(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text("layer {\n\tkernal_size: 5\n}\n")
    error = NetError('layer "a": unknown field', place=Place(str(file), 2, 2), hint='did you mean "kernel_size"?')
    assert block(error) == (
        f'error[B120]: layer "a": unknown field\n  --> {file}:2:2\n    2 | \tkernal_size: 5\n'
        '      | \t^^^^^^^^^^^ did you mean "kernel_size"?'
    )
    assert "\x1b[" in block(error, colour=True)


def test_a_long_hint_and_a_missing_file_still_print() -> None:
    error = NetError("wrong", place=Place("gone.prototxt", 3, 1), hint="h" * 100)
    assert block(error).splitlines() == ["error[B120]: wrong", "  --> gone.prototxt:3:1", "  = " + "h" * 100]


def fail_with(error: BaseException) -> click.Command:
    @click.command()
    def verb() -> None:
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (MemoryError("9 GB"), 7, "error[B700]: out of memory: 9 GB"),
        (OSError(errno.ENOSPC, "No space left on device"), 7, "error[B700]: No space left on device"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x.h5"), 3, "error[B100]: No such file: x.h5"),
        (NetError("bad net"), 3, "error[B120]: bad net"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, ""),
        (KeyError("x\ny"), 70, "internal error: KeyError"),
    ],
)
def test_exit_codes(
    brew_run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, says: str, tmp_path: Path
) -> None:
    monkeypatch.setattr(cli, "_silence", lambda: None)  # it would close pytest's own streams
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setitem(cli.brew.commands, "fail", fail_with(error))
    outcome = brew_run("fail")
    assert outcome.code == code
    assert outcome.err.startswith(says)
    assert "Traceback" not in outcome.err
    saved = list(tmp_path.iterdir())
    assert len(saved) == (code == 70)
    if saved:
        assert str(saved[0]) in outcome.err
        assert "Traceback (most recent call last)" in saved[0].read_text()


def test_traceback_is_shown_when_asked_for(brew_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.brew.commands, "fail", fail_with(NetError("bad net")))
    outcome = brew_run("--traceback", "fail")
    assert outcome.code == 3
    assert "Traceback (most recent call last)" in outcome.err
    assert outcome.err.endswith("error[B120]: bad net\n")


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m brew train --help | head -n 1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.startswith("Usage: ")
    assert done.stderr == ""


def test_devices_says_what_is_there(brew_run: Run) -> None:
    outcome = brew_run("devices")
    assert outcome.code == 0
    assert re.match(r"CPU: \d+ threads?; .+\n(no GPU: .+|GPU 0: .+)", outcome.out)
    assert brew_run("device_query").out == outcome.out


def test_a_gpu_ordered_and_absent_is_exit_6(brew_run: Run, folder: Path) -> None:
    from brew import cuda

    if cuda.why_not() is None:
        assert brew_run("devices", "--gpu", "99").code == 6
    else:
        assert brew_run("devices", "--gpu", "0").code == 6
        assert brew_run("train", "--solver", "solver.prototxt", "--gpu", "0").code == 6


def test_no_colour_and_dumb_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Settings().terminal and Settings().colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert Settings().terminal and not Settings().colour
    monkeypatch.setenv("TERM", "dumb")
    assert not Settings().terminal


def test_python_m_brew_is_the_same_command() -> None:
    assert importlib.import_module("brew.__main__").main is main
