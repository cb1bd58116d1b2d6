"""A snapshot taken in the middle of a test resumes as one taken before it: the test is done again, all of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brew import prototxt
from brew.errors import BrewError
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.snapshots import history
from brew.solver.solver import Solver
from brew.solver.training import events

LMDB = Path(__file__).parents[1] / "fixtures" / "conformance" / "data" / "raw_lmdb"
NET = f"""
  layer {{ name: "data" type: "Data" top: "data" top: "label" data_param {{ source: "{LMDB}" batch_size: 3 }}
    transform_param {{ crop_size: 6 mirror: true scale: 0.01 mean_value: 100 }} }}
  layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
    inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
  layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
"""
MEMORY = """
  layer { name: "x" type: "DummyData" top: "x" top: "cont" dummy_data_param {
    shape { dim: 3 dim: 2 dim: 5 } data_filler { type: "gaussian" }
    shape { dim: 3 dim: 2 } data_filler { type: "constant" value: 1 } } }
  layer { name: "memory" type: "LSTM" bottom: "x" bottom: "cont" top: "y"
    recurrent_param { num_output: 4 weight_filler { type: "xavier" } } }
  layer { name: "loss" type: "Reduction" bottom: "y" top: "loss" loss_weight: 1 reduction_param { operation: SUMSQ } }
"""
SOLVER = """
test_iter: 3 test_iter: 2 test_interval: 4 base_lr: 0.05 momentum: 0.9 lr_policy: "fixed" random_seed: 3
display: 4 average_loss: 3 ema_decay: 0.9 best: "loss"
"""


class Run:
    """A training of `settings`; `act` is called at every test batch, with its number counted over the run."""

    def __init__(
        self, folder: Path, settings: str, act: Callable[[Solver, int], None] | None = None, *,
        net: str = NET, device: str = "cpu",
    ) -> None:  # fmt: skip
        text = f'net_param {{ {net} }} {SOLVER} {settings} snapshot_prefix: "{folder}/run"'
        self.solver = Solver(prototxt.parse(text, SolverParameter), device=device)
        self.scores: list[tuple[int, int, dict[str, float]]] = []
        self.solver.watch(self._see)
        batches = 0

        def count(number: int) -> None:
            nonlocal batches
            batches += 1
            if act is not None:
                act(self.solver, batches)

        for net in self.solver.test_nets:
            net.before_forward(lambda number: count(number) if number == 0 else None)

    def _see(self, event: events.Event) -> None:
        if isinstance(event, events.Tested):
            self.scores.append((event.iteration, event.net, event.scores))

    def result(self) -> list[object]:
        """All that a later iteration depends on."""
        solver, best = self.solver, self.solver.best
        solver.close()
        weights = [b.data.tobytes() for blobs in solver.net.params.values() for b in blobs]
        kept = [values.tobytes() for values in history.values(solver)]
        return [*weights, *kept, best.score, best.iteration, best.waited]


@pytest.fixture
def straight(tmp_path: Path) -> Run:
    folder = tmp_path / "straight"
    folder.mkdir()
    run = Run(folder, "max_iter: 12")
    run.solver.solve()
    assert len(run.scores) == 8
    return run


# Batches 1 to 5 are the tests at iteration 0 (3 and 2 batches), 6 to 10 those at 4, and so on; 16 to 20 the last ones.
@pytest.mark.parametrize("batch", [2, 7, 9, 10, 17])
@pytest.mark.parametrize("action", ["stop", "snapshot"])
def test_a_snapshot_in_a_test(tmp_path: Path, straight: Run, batch: int, action: str) -> None:
    def act(solver: Solver, number: int) -> None:
        if number == batch:
            solver.request(action)
        if number == batch + 2:
            solver.request("stop")  # what follows the snapshot is lost

    after = "true" if action == "stop" else "false"
    first = Run(tmp_path, f"max_iter: 12 snapshot_after_train: {after}", act)
    first.solver.solve()
    assert first.solver.stopped
    if action == "stop" and batch == 17:
        first.solver.snapshot()  # as the command line does when a signal stops it
    [state] = tmp_path.glob("run_iter_*.solverstate")
    again = Run(tmp_path, "max_iter: 12")
    again.solver.solve(state)
    assert again.scores == [s for s in straight.scores if s[0] >= again.scores[0][0]]
    assert again.result() == straight.result()


@pytest.mark.parametrize("net", [NET, MEMORY], ids=["data", "memory"])
def test_going_on_in_the_same_process(tmp_path: Path, net: str, device: str) -> None:
    straight = Run(tmp_path, "max_iter: 12", net=net, device=device)
    straight.solver.solve()

    def act(solver: Solver, number: int) -> None:
        if number in (4, 9, 21):
            solver.request("stop")

    run = Run(tmp_path, "max_iter: 12", act, net=net, device=device)
    for _ in range(4):
        run.solver.solve()
    done = {(iteration, net): scores for iteration, net, scores in run.scores}
    assert [(*key, scores) for key, scores in sorted(done.items())] == straight.scores
    assert run.result() == straight.result()


def test_what_a_layer_carries_goes_back_too(tmp_path: Path, device: str) -> None:
    straight = Run(tmp_path, "max_iter: 12", net=MEMORY, device=device)
    straight.solver.solve()

    def act(solver: Solver, number: int) -> None:
        if number == 8:
            solver.request("stop")

    stopped = Run(tmp_path, "max_iter: 12", act, net=MEMORY, device=device)
    stopped.solver.solve()
    again = Run(tmp_path, "max_iter: 12", net=MEMORY, device=device)
    again.solver.solve(tmp_path / "run_iter_4.solverstate")
    assert again.scores == straight.scores[2:]
    assert again.result() == straight.result()


def test_a_test_by_hand_counts_for_what_follows(tmp_path: Path) -> None:
    run = Run(tmp_path, "max_iter: 12")
    run.solver.step(1)
    before = [layer.state().record for net in run.solver.test_nets for layer in net.data_layers]
    run.solver.test_all()
    files = run.solver.snapshot()
    again = Run(tmp_path, "max_iter: 12")
    again.solver.restore(files.state)
    after = [layer.state().record for net in again.solver.test_nets for layer in net.data_layers]
    assert np.array_equal(np.array(after) - before, [9, 6])
    run.solver.close()
    again.solver.close()


def test_restoring_forgets_the_test_at_hand(tmp_path: Path, straight: Run) -> None:
    """And a state that is refused does not: the training goes on in its test as if nothing had been asked."""

    def act(solver: Solver, number: int) -> None:
        if number in (7, 17):
            solver.request("stop")

    run = Run(tmp_path, "max_iter: 12", act)
    run.solver.solve()
    with pytest.raises(BrewError, match="nothing"):
        run.solver.restore(tmp_path / "nothing.solverstate")
    run.solver.solve()
    assert run.solver.stopped and run.solver.iter == 8, "in the test of iteration 8"
    run.scores.clear()
    run.solver.solve(tmp_path / "run_iter_4.solverstate")
    assert run.scores == straight.scores[2:]
    assert run.result() == straight.result()
