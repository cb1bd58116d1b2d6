"""NaN and infinity in means, weights and states: a training stops before it begins, or before they reach a file."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from brew.errors import DivergedError, PrototxtError, WeightsError
from brew.files.finite import not_finite
from brew.proto.brew_pb2 import BlobProto, SolverParameter
from brew.prototxt import parse
from brew.solver.solver import Solver

NET = """
layer { name: "x" type: "DummyData" top: "x" top: "t"
        dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 } data_filler { type: "gaussian" std: 1 }
                           data_filler { type: "constant" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "y" top: "z" }
layer { name: "ip2" type: "InnerProduct" bottom: "z" top: "s" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "s" bottom: "t" top: "loss" }
"""


def solver(folder: Path, more: str = "", net: str = NET) -> Solver:
    text = f'net_param {{ {net} }} base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" max_iter: 4 snapshot_prefix: "{folder}/s" {more}'
    return Solver(parse(text, SolverParameter))


def spoil(running: Solver) -> None:
    """As a mean file with NaN does: the loss stays finite, for a ReLU hides it."""
    running.net.params["ip"][0].data[2] = np.nan


@pytest.mark.parametrize(("value", "wrong"), [(0, 0), (3e38, 0), (np.nan, 1), (np.inf, 1), (-np.inf, 1)])
def test_counting(value: float, wrong: int) -> None:
    values = np.full(70, 3e38, np.float32)
    values[33] = value
    assert not_finite(values) == wrong


@pytest.mark.parametrize("more", [
    "", "snapshot: 2", "snapshot_after_train: false", "display: 1 snapshot_after_train: false",
    "snapshot: 3 snapshot_format: HDF5", "snapshot: 1 keep: 1",
])  # fmt: skip
def test_weights_stop_it_and_reach_no_file(more: str, tmp_path: Path) -> None:
    running = solver(tmp_path, more)
    running.step(0)
    spoil(running)
    assert np.isfinite(running.net.forward()["loss"]).all()
    with pytest.raises(DivergedError, match=r'iteration \d: weights of layer "ip" \(InnerProduct\) are not finite'):
        running.solve()
    assert not list(tmp_path.glob("*model*")) and not list(tmp_path.glob("*state*"))


def test_the_history_stops_it_too(tmp_path: Path) -> None:
    running = solver(tmp_path)
    running.step(1)
    running.update.history[0][3] = np.inf
    with pytest.raises(DivergedError, match="the history of their updates is not"):
        running.snapshot()
    assert not list(tmp_path.glob("*state*"))


def test_the_best_weights_too(tmp_path: Path) -> None:
    running = solver(tmp_path, 'best: "loss" test_iter: 1 test_interval: 2')
    spoil(running)
    with pytest.raises(DivergedError):
        running.solve()
    assert not list(tmp_path.glob("*best*"))


@pytest.mark.parametrize("ending", ["caffemodel", "caffemodel.h5", "safetensors"])
def test_weights_from_a_file(ending: str, tmp_path: Path) -> None:
    running = solver(tmp_path)
    spoil(running)
    running.net.save(tmp_path / f"w.{ending}")
    with pytest.raises(WeightsError, match=rf'w\.{ending}: weights of layer "ip" .* are not finite'):
        solver(tmp_path, f'weights: "{tmp_path}/w.{ending}"')


@pytest.mark.parametrize("kind", ["BINARYPROTO", "HDF5"])
@pytest.mark.parametrize("what", ["weights", "history"])
def test_a_state(what: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = solver(tmp_path, f"snapshot_format: {kind}")
    running.step(1)
    if what == "weights":
        spoil(running)
    else:
        running.update.history[0][3] = np.nan
    with monkeypatch.context() as as_others_do:
        as_others_do.setattr(running.guard, "check_state", lambda history, when: None)
        state = running.snapshot().state
    with pytest.raises(WeightsError, match="not"):
        solver(tmp_path, f"snapshot_format: {kind}").restore(state)


DATA = 'layer { name: "d" type: "ImageData" top: "d" top: "t" image_data_param { source: "none" batch_size: 1 } transform_param { %s } }'


@pytest.mark.parametrize("text", ["scale: nan", "scale: inf", "mean_value: 1 mean_value: nan", "mean_value: -inf"])
def test_a_transform(text: str, tmp_path: Path) -> None:
    with pytest.raises(PrototxtError, match=r"must be finite, not -?(nan|inf)"):
        solver(tmp_path, net=DATA % text)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_mean_file(value: float, tmp_path: Path) -> None:
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(BlobProto(num=1, channels=3, height=1, width=1, data=[1, value, 2]).SerializeToString())
    with pytest.raises(WeightsError, match="1 of the 3 numbers of the mean are NaN or infinite"):
        solver(tmp_path, net=DATA % f'mean_file: "{path}"')


def test_what_is_finite_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "brew"):
        running = solver(tmp_path, "display: 1 snapshot: 2")
        running.net.params["ip2"][1].data[...] = 1e30  # its square is not finite, and it is
        running.step(1)
    assert not caplog.records
