"""Signals and max_time between the passes of an iteration: it is given up, and done again as if it had not begun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brew import cuda, prototxt
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.solver import Solver

LMDB = Path(__file__).parents[1] / "fixtures" / "conformance" / "data" / "raw_lmdb"
NET = f"""
  layer {{ name: "data" type: "Data" top: "data" top: "label" data_param {{ source: "{LMDB}" batch_size: 3 }}
    transform_param {{ crop_size: 6 mirror: true scale: 0.01 mean_value: 100 }} }}
  layer {{ name: "bn" type: "BatchNorm" bottom: "data" top: "bn" }}
  layer {{ name: "drop" type: "Dropout" bottom: "bn" top: "bn" }}
  layer {{ name: "ip" type: "InnerProduct" bottom: "bn" top: "ip"
    inner_product_param {{ num_output: 2 weight_filler {{ type: "xavier" }} }} }}
  layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
"""
SOLVER = """
test_iter: 2 test_interval: 3 base_lr: 0.05 momentum: 0.9 lr_policy: "fixed" random_seed: 3 iter_size: 4 max_iter: 7
display: 2 average_loss: 3 ema_decay: 0.9 best: "loss"
"""


_UNDISTURBED: dict[str, list[object]] = {}


def make(folder: Path, device: str, settings: str = "") -> Solver:
    text = f'{SOLVER}{settings} snapshot_prefix: "{folder / "run"}" net_param {{ {NET} }}'
    return Solver(prototxt.parse(text, SolverParameter), device=device)


def result(solver: Solver) -> list[object]:
    """All that a later iteration depends on."""
    solver.close()
    weights = [b.data.tobytes() for blobs in solver.net.params.values() for b in blobs]
    host = cuda.asnumpy if solver.device == "cuda" else np.asarray
    kept = [host(arena).tobytes() for arena in solver.update.history]
    return [solver.iter, *weights, *kept, solver.best.score, solver.best.iteration, solver.best.waited]


@pytest.fixture
def undisturbed(tmp_path_factory: pytest.TempPathFactory, device: str) -> list[object]:
    if device not in _UNDISTURBED:
        solver = make(tmp_path_factory.mktemp("whole"), device)
        solver.solve()
        _UNDISTURBED[device] = result(solver)
    return _UNDISTURBED[device]


def at_pass(solver: Solver, number: int, act: Callable[[], None]) -> None:
    """Call `act` at the end of the train net's pass `number`, counted from 0."""
    seen = iter(range(1000))

    def count(layer: int) -> None:
        if layer == 0 and next(seen) == number:
            act()

    solver.net.after_backward(count)


@pytest.mark.parametrize("number", [0, 4, 5, 6, 12, 13, 14, 22])
def test_a_stop_between_passes_resumes_bit_for_bit(
    number: int, tmp_path: Path, device: str, undisturbed: list[object]
) -> None:
    """Passes 12 to 15 are those of iteration 3, which begins with a test."""
    solver = make(tmp_path, device)
    at_pass(solver, number, lambda: solver.request("stop"))
    solver.solve()
    assert (solver.stopped, solver.iter) == ("request", number // 4)
    solver.close()
    resumed = make(tmp_path, device)
    resumed.restore(f"{tmp_path}/run_iter_{number // 4}.solverstate")
    resumed.solve()
    assert result(resumed) == undisturbed


@pytest.mark.parametrize("number", [1, 6, 13])
def test_going_on_in_the_same_process(number: int, tmp_path: Path, device: str, undisturbed: list[object]) -> None:
    solver = make(tmp_path, device, "snapshot_after_train: false")
    at_pass(solver, number, lambda: solver.request("stop"))
    solver.solve()
    assert solver.stopped == "request"
    solver.solve()
    assert solver.stopped == ""
    assert result(solver) == undisturbed


@pytest.mark.parametrize("number", [1, 6, 13])
def test_a_snapshot_between_passes(number: int, tmp_path: Path, device: str, undisturbed: list[object]) -> None:
    """The training goes on as if there had been none, and the snapshot is that of the iteration's beginning."""
    solver = make(tmp_path, device, "snapshot_after_train: false")
    taken: list[int] = []
    at_pass(solver, number, lambda: solver.request("snapshot"))
    at_pass(solver, number + 1, lambda: taken.extend(int(path.stem.split("_")[-1]) for path in tmp_path.glob("*state")))
    solver.solve()
    assert taken == [number // 4]  # it did not wait for the end of the iteration
    assert result(solver) == undisturbed
    resumed = make(tmp_path, device)
    resumed.restore(f"{tmp_path}/run_iter_{number // 4}.solverstate")
    resumed.solve()
    assert result(resumed) == undisturbed


def test_max_time_ends_between_passes(tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    solver = make(tmp_path, device, 'max_time: "1h"')
    now = [0.0]
    monkeypatch.setattr("brew.solver.solver.time.perf_counter", lambda: now[0])
    at_pass(solver, 5, lambda: now.__setitem__(0, 4000.0))
    solver.solve()
    assert (solver.stopped, solver.iter, solver.net.passes.begun) == ("max_time", 1, 4)
    solver.close()


def test_a_last_pass_is_no_place_to_stop(tmp_path: Path, device: str) -> None:
    """All passes are done: the iteration ends first."""
    solver = make(tmp_path, device)
    at_pass(solver, 7, lambda: solver.request("stop"))
    solver.solve()
    assert (solver.stopped, solver.iter) == ("request", 2)
    solver.close()


@pytest.mark.parametrize("device", ["cuda"], indirect=True)
def test_nothing_is_read_back_from_a_gpu_for_it(tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program runs ahead of the GPU from one display to the next."""
    solver = make(tmp_path, device)
    solver.param.display = solver.param.test_interval = 0
    solver.step(1)
    for name in ("asnumpy", "download", "synchronize"):
        monkeypatch.setattr(cuda, name, lambda *_: pytest.fail("the program waits for the GPU"))
    solver.step(2)
    monkeypatch.undo()
    solver.close()
