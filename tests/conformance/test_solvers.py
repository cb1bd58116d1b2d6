"""BVLC Caffe's trajectories: our solver reaches its weights and history, from the start and from its snapshot.

The bound is the reference's own (tests/fixtures/conformance/README.md): each array by itself within
max |a - b| <= 1e-4 * max |b| + 1e-7.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

import brew
from brew.files.weights import reading
from brew.solver.snapshots import snapshot
from brew.solver.training.events import Iterated

CASES = Path(__file__).parents[1] / "fixtures" / "conformance" / "solvers"
NAMES = sorted(p.name for p in CASES.iterdir())


def test_every_case_is_collected():
    sgd = ["clip", "hdf5", "iter_size", "l1", "l2", "momentum", "plain", "poly", "sigmoid"]
    others = ["adadelta", "adagrad", "adam", "adam_step_clip", "legacy_type", "nesterov", "rmsprop"]
    assert sorted([*others, *(f"sgd_{n}" for n in sgd)]) == NAMES


def _close(got: np.ndarray, want: np.ndarray, what: str) -> None:
    got, want = np.ravel(got), np.ravel(want)
    assert got.shape == want.shape, what
    assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max() + 1e-7, what


def _check(folder: Path, mine: Path) -> None:
    """Our snapshot of iteration 25 against the reference's, each read back from its files."""
    ending = ".h5" if (folder / "out_iter_25.solverstate.h5").exists() else ""
    ours, theirs = (snapshot.read_state(f"{p}_iter_25.solverstate{ending}") for p in (mine, folder / "out"))
    assert (ours.iter, ours.current_step) == (theirs.iter, theirs.current_step)
    for i, (a, b) in enumerate(zip(ours.history, theirs.history, strict=True)):
        _close(a.data, b.data, f"history {i}")
    stored = [
        {x.name: x.blobs for x in reading.read(f"{p}_iter_25.caffemodel{ending}")} for p in (mine, folder / "out")
    ]
    for name, blobs in stored[1].items():
        for i, (a, b) in enumerate(zip(stored[0][name], blobs, strict=True)):
            assert a.shape == b.shape
            _close(a.data, b.data, f"{name} {i}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", ["beginning", "snapshot"])
def test_trajectory(name: str, start: str, device: str, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    folder = CASES / name
    mine = tmp_path / "ours"
    solver = brew.get_solver(folder / "solver.prototxt", device=device, overrides=[f"snapshot_prefix={mine}"])
    losses: list[float] = []
    solver.watch(lambda event: losses.append(solver.losses.losses()[-1]) if isinstance(event, Iterated) else None)
    state = next(folder.glob("out_iter_12.solverstate*"))
    with caplog.at_level(logging.INFO, "brew"):
        if start == "beginning":
            solver.load_weights(str(folder / "init.caffemodel"))
            solver.solve()
        else:
            solver.solve(state)
    solver.close()
    _check(folder, mine)
    reference = np.loadtxt(folder / "losses.txt").reshape(25, -1)[:, -1]
    if solver.param.iter_size == 1:  # the reference wrote the last pass's loss, ours is the mean over iter_size
        np.testing.assert_allclose(losses, reference[25 - len(losses) :], rtol=1e-4, atol=1e-6)
    if start == "snapshot":
        assert any("goes on at record" in message for message in caplog.messages)
