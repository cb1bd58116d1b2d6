"""The net and solver that `brew data get digits` writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from brew.data.sets import known, recipes
from brew.net.net import Net
from brew.solver.solver import Solver

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["solver.prototxt", "train_test.prototxt"])
def test_they_are_the_example_s(name: str) -> None:
    assert (ROOT / "brew/data/sets" / f"digits_{name}").read_text() == (ROOT / "examples/digits" / name).read_text()


@pytest.mark.parametrize("folder", [".", "my digits", 'quo"ted'])
def test_they_work_from_the_current_directory(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known.get("digits", Path(folder))
    net, solver = sorted(recipes.write("digits", Path(folder)), key=lambda path: "solver" in path.name)
    assert (net, solver) == (Path(folder) / "train_test.prototxt", Path(folder) / "solver.prototxt")
    assert "examples/" not in net.read_text() + solver.read_text()
    Net(net).close()
    trained = Solver(solver)
    trained.step(1)
    trained.close()
    assert str(trained.snapshot().state) == str(Path(folder) / "digits_iter_1.solverstate")


def test_they_do_not_replace_what_is_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "solver.prototxt").write_text("mine")
    with caplog.at_level("INFO", "brew"):
        assert recipes.write("digits", tmp_path) == [tmp_path / "train_test.prototxt"]
    assert (tmp_path / "solver.prototxt").read_text() == "mine"
    assert "was left as it is" in caplog.text
    (tmp_path / "solver.prototxt").unlink()
    assert len(recipes.write("digits", tmp_path)) == 2  # the one that is as it was written counts


def test_other_sets_have_none(tmp_path: Path) -> None:
    assert recipes.write("mnist", tmp_path) == []
