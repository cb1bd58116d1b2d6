"""`brew data get`: in an empty folder, offline, and ready to train."""

from __future__ import annotations

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


@pytest.mark.parametrize(("args", "code", "says"), [
    (["digts", "x"], 2, 'did you mean "digits"?'),
    (["mnist", "x", "--from", "nowhere"], 3, "nowhere"),
    (["digits", "x", "-from", "y"], 2, "comes with Brew"),
])  # fmt: skip
def test_mistakes(brew_run: Run, folder: Path, args: list[str], code: int, says: str) -> None:
    outcome = brew_run("data", "get", *args)
    assert outcome.code == code
    assert says in outcome.err
