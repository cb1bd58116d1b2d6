"""The field `best`: an output of a test net, or one element of one; all else is an error, for check and for runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from brew.checks import files
from brew.checks.states import Options
from brew.errors import SolverError
from brew.solver.solver import Solver
from brew.solver.training.best import best_problem

NET = """
layer { name: "x" type: "DummyData" top: "x" top: "label" dummy_data_param {
  shape { dim: 6 dim: 4 } shape { dim: 6 } data_filler { type: "gaussian" } data_filler { value: 1 } } }
layer { name: "f" type: "InnerProduct" bottom: "x" top: "f"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "f" bottom: "label" top: "loss" }
layer { name: "a" type: "Accuracy" bottom: "f" bottom: "label" top: "accuracy" top: "each" include { phase: TEST } }
"""


@pytest.fixture
def solver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    path = Path("solver.prototxt")
    path.write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 2 test_iter: 2 test_interval: 1\n'
        'snapshot_prefix: "s" best: "%s"'
    )
    return path


@pytest.mark.parametrize("best", ["accuracy", "loss", "each[0]", "each[2]", "accuracy[0]"])
def test_outputs_and_their_elements(best: str, solver: Path) -> None:
    solver.write_text(solver.read_text().replace("%s", best))
    assert files.check("solver.prototxt", Options()) == []
    running = Solver(solver, device="cpu")
    running.solve()
    running.close()
    assert running.best.score is not None
    assert Path("s_best.caffemodel").is_file()


@pytest.mark.parametrize(
    ("best", "message", "hint"),
    [
        ("accuracy[5]", "accuracy has one element", 'best: "accuracy"'),
        ("loss[-1]", "loss has one element", 'best: "loss"'),
        ("each[3]", "each has 3 elements", "they count from 0 to 2"),
        ("each[-1]", "each has 3 elements", "they count from 0 to 2"),
        ("each", "an output of 3 elements", 'best: "each[0]"'),
        ("accuracy[1", "the name of an output is expected", None),
        ("accuracy]", "the name of an output is expected", None),
        ("each[]", "the name of an output is expected", None),
        ("each[1][2]", "the name of an output is expected", None),
        ("each[x]", "the name of an output is expected", None),
        ("acuracy", "which no test net puts out; outputs are accuracy, each, loss", 'did you mean "accuracy"?'),
        ("f", "which no test net puts out", None),
    ],
)
def test_what_is_none(best: str, message: str, hint: str | None, solver: Path) -> None:
    solver.write_text(solver.read_text().replace("%s", best))
    [found] = files.check("solver.prototxt", Options())
    with pytest.raises(SolverError) as caught:
        Solver(solver, device="cpu")
    assert message in found.message
    assert (hint or "") in (found.hint or "")
    assert (found.severity, found.code, str(found.place)) == ("error", "B130", "solver.prototxt:2:22")
    assert (caught.value.message, caught.value.place, caught.value.hint) == (found.message, found.place, found.hint)


def test_the_first_net_that_has_it_counts() -> None:
    assert best_problem("a[1]", [{"b": 1}, {"a": 2}, {"a": 1}]) is None
    assert best_problem("a[1]", [{"a": 1}, {"a": 2}]) is not None
    assert best_problem("", [{"a": 1}]) is None
