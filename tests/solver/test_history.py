"""States of other solver types: taken where the history means the same, else refused, or taken without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import brew
from brew.errors import WeightsError
from brew.files.weights.caffemodel import write_solver_state
from brew.solver.snapshots import history, snapshot
from brew.solver.solver import Solver
from brew.solver.update.rule import rule_class, rules

NET = """
layer { name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param {
  shape { dim: 6 dim: 20 } shape { dim: 6 } data_filler { type: "gaussian" } data_filler { value: 1 } } }
layer { name: "f" type: "InnerProduct" bottom: "x" top: "f"
  inner_product_param { num_output: 8 weight_filler { type: "xavier" } } }
layer { name: "l" type: "SoftmaxWithLoss" bottom: "f" bottom: "y" top: "l" }
"""
TYPES = sorted(rules())


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)


def solver(kind: str, fields: str = "", **options: object) -> Solver:
    rule = rule_class(kind)
    assert rule is not None
    momentum = "momentum: 0.9" if rule.takes_momentum else ""
    Path(f"{kind}.prototxt").write_text(
        f'net: "net.prototxt" type: "{kind}" base_lr: 0.01 lr_policy: "fixed" {momentum} max_iter: 9 random_seed: 1 '
        f'snapshot_prefix: "{kind}" {fields}'
    )
    return Solver(f"{kind}.prototxt", **{"device": "cpu", **options})  # type: ignore[arg-type]


def state(kind: str, *, named: bool) -> str:
    """The state of a training of a type; one as Caffe writes it where not `named`."""
    made = solver(kind)
    made.step(3)
    files = made.snapshot()
    made.close()
    if named:
        return str(files.state)
    stored = snapshot.read_state(files.state)
    blobs = [np.concatenate([*blob.pieces()]).reshape(blob.shape) for blob in stored.history]
    with Path("caffe.solverstate").open("wb") as file:
        write_solver_state(file, stored.iter, str(files.weights), blobs, stored.current_step, None)
    return "caffe.solverstate"


@pytest.mark.parametrize("reader", TYPES)
@pytest.mark.parametrize("writer", TYPES)
def test_a_state_goes_on_where_the_history_means_the_same(writer: str, reader: str) -> None:
    path = state(writer, named=True)
    same = rules()[writer].keeps == rules()[reader].keeps
    running = solver(reader)
    before = running.net.params["f"][0].data.copy()
    if same:
        running.restore(path)
        running.step(2)
        assert running.iter == 5
    else:
        with pytest.raises(WeightsError, match=f'of a solver of type "{writer}"') as caught:
            running.restore(path)
        assert "--reset-history" in (caught.value.hint or "")
        assert running.iter == 0
        assert np.array_equal(running.net.params["f"][0].data, before)  # nothing has been taken over
    assert np.isfinite(running.net.params["f"][0].data).all()
    running.close()


def test_which_types_go_on_from_each_other() -> None:
    kinds = {frozenset(t for t in TYPES if rules()[t].keeps == rule.keeps) for rule in rules().values()}
    assert kinds >= {  # a type that is not here keeps something of its own
        frozenset({"SGD", "Nesterov", "LARS"}), frozenset({"Adam", "AdamW", "LAMB"}), frozenset({"AdaGrad"}),
        frozenset({"RMSProp"}), frozenset({"AdaDelta"}),
    }  # fmt: skip


@pytest.mark.parametrize("name", TYPES)
def test_squares_are_never_negative_and_others_are(name: str) -> None:
    running = solver(name)
    running.step(4)
    for slot, arena in enumerate(running.update.history):
        assert bool((arena < 0).any()) == (slot not in rules()[name].squares)
    running.close()


@pytest.mark.parametrize(
    ("writer", "reader", "outcome"),
    [
        ("SGD", "Nesterov", "goes on"), ("SGD", "RMSProp", "refused"), ("Nesterov", "AdaGrad", "refused"),
        ("RMSProp", "SGD", "warned of"), ("AdaGrad", "Nesterov", "warned of"), ("SGD", "Adam", "refused"),
        ("Adam", "AdaDelta", "refused"), ("AdaDelta", "Adam", "warned of"), ("Adam", "AdamW", "goes on"),
        ("Adam", "SGD", "refused"),
    ],
)  # fmt: skip
def test_caffes_states_tell_by_their_numbers(
    writer: str, reader: str, outcome: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = state(writer, named=False)
    running = solver(reader)
    if outcome == "refused":
        with pytest.raises(WeightsError, match="history"):
            running.restore(path)
    else:
        running.restore(path)
    assert ("no number of its history is below 0" in caplog.text) == (outcome == "warned of")
    running.close()


@pytest.mark.parametrize(("writer", "reader"), [("SGD", "RMSProp"), ("SGD", "Adam"), ("Adam", "SGD"), ("SGD", "SGD")])
def test_the_history_begins_anew_on_request(writer: str, reader: str, device: str) -> None:
    path = state(writer, named=True)
    running = solver(reader, reset_history=True, device=device)
    running.step(1)
    running.restore(path)
    assert running.iter == 3
    stored = brew.Net("net.prototxt", brew.TEST, weights=f"{writer}_iter_3.caffemodel")
    assert np.array_equal(running.net.params["f"][0].data, stored.params["f"][0].data)
    assert not any(values.any() for values in history.values(running))
    running.step(2)
    running.close()


@pytest.mark.parametrize(("fields", "told"), [("", False), ("max_iter: 3", True), ("max_iter: 2", True)])
def test_a_state_with_nothing_left_to_train(fields: str, told: bool, caplog: pytest.LogCaptureFixture) -> None:
    path = state("SGD", named=True)
    text = Path("SGD.prototxt").read_text()
    Path("SGD.prototxt").write_text(text.replace("max_iter: 9", fields or "max_iter: 9"))
    running = Solver("SGD.prototxt", device="cpu")
    running.restore(path)
    assert ("there is nothing left to train" in caplog.text) == told
    assert ("--set max_iter=6" in caplog.text) == told
    running.close()


def test_a_history_that_does_not_fit_leaves_the_weights_as_they_are() -> None:
    stored = state("Adam", named=False)  # by its numbers two arrays a parameter
    made = solver("SGD")
    before = [blob.data.copy() for blobs in made.net.params.values() for blob in blobs]
    with pytest.raises(WeightsError, match="history blobs"):
        made.restore(stored)
    after = [blob.data for blobs in made.net.params.values() for blob in blobs]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    made.close()
