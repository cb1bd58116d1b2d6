"""`brew data get`: in an empty folder, offline, and ready to train. `brew data check`: what it prints, its exit codes."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_digits_in_an_empty_folder_train(brew_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = brew_run("data", "get", "digits", ".")
    assert outcome.code == 0
    written = ["digits_train_lmdb", "digits_test_lmdb", "solver.prototxt", "train_test.prototxt"]
    assert outcome.out.split() == written
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(written)
    trained = brew_run("train", "-solver", "solver.prototxt", "-set", "max_iter=2", "-set", "test_interval=2")
    assert trained.code == 0
    assert trained.out.startswith("iteration 2, test net #0: accuracy = ")


def test_a_second_time_asks_for_overwrite(brew_run: Run, tmp_path: Path) -> None:
    assert brew_run("data", "get", "digits", str(tmp_path)).code == 0
    again = brew_run("data", "get", "digits", str(tmp_path))
    assert again.code in (3, 7)
    assert again.err.startswith("error[B")
    assert "overwrite" in again.err
    assert brew_run("data", "get", "digits", str(tmp_path), "--overwrite").code == 0


@pytest.mark.parametrize("size", [0, 100, 1000, 10_000, 100_000, 100_000])
@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_leaves_nothing_half_written(size: int, there: bool, brew_run: Run, tmp_path: Path) -> None:
    """By the largest size of a file: the net, the solver, or a database does not fit."""
    target = tmp_path / "digits"
    if there:
        target.mkdir()
        (target / "mine").write_text("mine")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        outcome = brew_run("data", "get", "digits", str(target))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcome.code == 7
    assert outcome.out == ""
    assert outcome.err.startswith("error[B700]: ") and outcome.err.count("error[") == 1
    assert [path.name for path in tmp_path.rglob("*")] == (["digits", "mine"] if there else [])


def test_no_database_is_left_without_its_net(brew_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def full(path: Path, contents: bytes) -> int:
        written.append(path)
        if "solver" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(contents)

    monkeypatch.setattr(Path, "write_bytes", full)
    outcome = brew_run("data", "get", "digits", str(tmp_path / "digits"))
    assert len(written) == 2 or "solver" in written[0].name
    assert outcome.code == 7 and "No space left on device" in outcome.err
    assert not (tmp_path / "digits").exists()


@pytest.mark.parametrize(("args", "code", "says"), [
    (["digts", "x"], 2, 'did you mean "digits"?'),
    (["mnist", "x", "--from", "nowhere"], 3, "nowhere"),
    (["digits", "x", "-from", "y"], 2, "comes with Brew"),
])  # fmt: skip
def test_mistakes(brew_run: Run, folder: Path, args: list[str], code: int, says: str) -> None:
    outcome = brew_run("data", "get", *args)
    assert outcome.code == code
    assert says in outcome.err


CONFORMANCE = Path(__file__).parents[1] / "fixtures" / "conformance"


def test_check_tells_what_is_in_a_source(brew_run: Run) -> None:
    lmdb, h5 = CONFORMANCE / "data" / "raw_lmdb", CONFORMANCE / "solvers" / "sgd_plain" / "data.h5"
    outcome = brew_run("data", "check", str(lmdb), str(h5))
    assert outcome.code == 0
    assert outcome.err == ""
    assert outcome.out.splitlines() == [
        f"{lmdb}: LMDB, 10 records read, 0 bad", "  shapes: 3 x 10 x 9 (10)",
        "  channels: mean 121.5, 124.4, 132.2; standard deviation 62.71, 64.55, 62.82 (blue, green, red)",
        "  labels: 0 to 1", "  classes: 2", "    0  5  " + "█" * 30, "    1  5  " + "█" * 30,
        f"{h5}: HDF5, 2 datasets read, 0 bad", "  shapes: /data 40 x 6, /label 40", "  labels: 0 to 3", "  classes: 4",
        "    0   7  ██████████████████", "    1  12  ██████████████████████████████",
        "    2  11  ████████████████████████████", "    3  10  █████████████████████████",
    ]  # fmt: skip


def test_check_ends_with_the_worst_code(brew_run: Run) -> None:
    lmdb = str(CONFORMANCE / "data" / "raw_lmdb")
    assert brew_run("data", "check", lmdb, "--classes", "1").code == 1
    outcome = brew_run("data", "check", "no/such/place", lmdb, "--classes=1", "--limit=0")
    assert outcome.code == 3
    assert outcome.out.startswith("no/such/place: there is no such file or folder\n")
    assert outcome.out.endswith("  and 5 more\n")
    assert brew_run("data", "check").code == 2


def test_check_prints_nothing_that_moves_a_cursor(brew_run: Run, folder: Path) -> None:
    (folder / "list.txt").write_bytes(b"\x1b[2J\x9bevil.png\rx 0\n\xff.png 0\n")
    outcome = brew_run("data", "check", "list.txt")
    assert outcome.code == 1
    assert "\\x1b[2J" in outcome.out
    assert outcome.out.replace("\n", "").isprintable()
