"""When training ends before max_iter, what it then says, and how long an epoch is."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from brew import prototxt
from brew.errors import SolverError
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter, ResumeState, SolverParameter
from brew.solver.solver import Solver
from brew.solver.training.best import Best

LMDB = Path(__file__).parents[1] / "fixtures" / "conformance" / "data" / "raw_lmdb"
NET = f"""
layer {{ name: "data" type: "Data" top: "data" top: "label" data_param {{ source: "{LMDB}" batch_size: 2 }}
  transform_param {{ crop_size: 4 scale: 0.01 }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include {{ phase: TEST }} }}
"""
INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }'


def make(folder: Path, settings: str, net: str = NET) -> Solver:
    (folder / "net.prototxt").write_text(net)
    text = f'net: "{folder}/net.prototxt" base_lr: 0.1 lr_policy: "fixed" random_seed: 1 snapshot_prefix: "{folder}/s" '
    return Solver(prototxt.parse(text + settings, SolverParameter))


def records() -> int:
    net = Net(prototxt.parse(NET, NetParameter).message)
    [data] = net.data_layers
    return data.epoch() or 0


def test_epochs_become_iterations(tmp_path: Path):
    count = records()
    assert count > 4
    solver = make(tmp_path, "max_epochs: 3 test_epochs: 0.5 snapshot_epochs: 1.5 test_iter: 1 iter_size: 2")
    batch = 2 * 2
    assert solver.param.max_iter == -(-3 * count // batch)
    assert solver.param.test_interval == max(1, round(0.5 * count / batch))
    assert solver.param.snapshot == max(1, round(1.5 * count / batch))


def test_an_epoch_needs_data_with_an_end(tmp_path: Path):
    with pytest.raises(SolverError, match="max_epochs needs data with an end"):
        make(tmp_path, "max_epochs: 1", INPUT)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("max_iter: 5 max_epochs: 1", "max_iter and max_epochs are both given"),
        ("max_epochs: -1", "max_epochs must not be negative"),
        ('max_iter: 5 max_time: "soon"', 'max_time is "soon", which is no length of time'),
        ("max_iter: 5 patience: 3", "patience needs to know what to watch"),
        ('max_iter: 5 best: "accuracy"', "there is no test"),
        ('max_iter: 5 test_iter: 0 test_interval: 1 best: "accuracy"', "there is no test"),
        (
            'max_iter: 5 best: "acuracy" test_iter: 1 test_interval: 1',
            'no test net puts out; .*did you mean "accuracy"',
        ),
    ],
)
def test_settings_that_cannot_be_meant(tmp_path: Path, settings: str, message: str):
    with pytest.raises(SolverError, match=message):
        make(tmp_path, settings)


def test_max_time_stops_with_a_snapshot(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    solver = make(tmp_path, 'max_iter: 100000000 max_time: "0.3s"')
    with caplog.at_level(logging.INFO, "brew"):
        solver.solve()
    assert solver.stopped == "max_time" and 0 < solver.iter < 10_000_000
    assert (tmp_path / f"s_iter_{solver.iter}.solverstate").is_file()
    assert "Optimization stopped early." in caplog.messages


def best_of(scores: list[float], settings: str) -> Best:
    document = prototxt.parse(settings, SolverParameter)
    best = Best(document, [Net(prototxt.parse(NET, NetParameter).message)])
    for iteration, score in enumerate(scores):
        best.improved(0, iteration, {document.message.best: score, "other": 99})
    return best


@pytest.mark.parametrize(
    ("settings", "scores", "iteration", "waited"),
    [
        ('best: "accuracy"', [0.1, 0.5, 0.4, 0.5], 1, 2),
        ('best: "loss"', [3, 1, 2], 1, 1),
        ('best: "accuracy" best_mode: MIN', [3, 1, 2], 1, 1),
        ('best: "accuracy" min_delta: 0.2', [0.5, 0.6, 0.65, 0.75], 3, 0),
        ('best: "accuracy"', [float("nan"), 0.5, float("nan")], 1, 1),
    ],
)
def test_which_test_is_the_best(settings: str, scores: list[float], iteration: int, waited: int):
    best = best_of(scores, settings)
    assert (best.iteration, best.waited) == (iteration, waited)
    again, state = best_of([], settings), ResumeState()
    best.save(state)
    again.restore(state)
    assert (again.score, again.iteration, again.waited) == (best.score, best.iteration, best.waited)


def test_patience_ends_training_and_the_best_weights_stand_in_their_file(tmp_path: Path):
    solver = make(tmp_path, 'max_iter: 1000 test_iter: 4 test_interval: 2 best: "loss" patience: 3 min_delta: 99')
    solver.solve()
    assert solver.stopped == "patience" and solver.iter == 6
    fresh, best = make(tmp_path, "max_iter: 1"), Net(tmp_path / "net.prototxt", weights=tmp_path / "s_best.caffemodel")
    np.testing.assert_array_equal(best.params["ip"][0].data, fresh.net.params["ip"][0].data)  # the test at 0 was best
