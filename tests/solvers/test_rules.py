"""Every update rule against its formula, written out plainly, on both devices; and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brew.errors import SolverError
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.solver import Solver
from brew.solver.update.make import rule_names
from brew.solver.update.rule import rules

NET = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 4 dim: 3 } data_filler { type: "gaussian" } } }
layer { name: "t" type: "DummyData" top: "t" dummy_data_param { shape { dim: 4 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" param { lr_mult: 2 } param { lr_mult: 0.5 decay_mult: 0 }
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.3 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "t" top: "loss" }
"""
Array = np.ndarray[Any, Any]
History = list[Array]


def sgd(g: Array, h: History, rate: float, t: int) -> Array:
    h[0] = 0.9 * h[0] + rate * g
    return h[0]


def nesterov(g: Array, h: History, rate: float, t: int) -> Array:
    before, h[0] = h[0], 0.9 * h[0] + rate * g
    return 1.9 * h[0] - 0.9 * before


def adagrad(g: Array, h: History, rate: float, t: int) -> Array:
    h[0] = h[0] + g**2
    return rate * g / (np.sqrt(h[0]) + 1e-3)


def rmsprop(g: Array, h: History, rate: float, t: int) -> Array:
    h[0] = 0.95 * h[0] + 0.05 * g**2
    return rate * g / (np.sqrt(h[0]) + 1e-3)


def adadelta(g: Array, h: History, rate: float, t: int) -> Array:
    h[0] = 0.9 * h[0] + 0.1 * g**2
    u = g * np.sqrt((h[1] + 1e-3) / (h[0] + 1e-3))
    h[1] = 0.9 * h[1] + 0.1 * u**2
    return rate * u


def adam(g: Array, h: History, rate: float, t: int) -> Array:
    h[0], h[1] = 0.9 * h[0] + 0.1 * g, 0.99 * h[1] + 0.01 * g**2
    correction = np.sqrt(1 - 0.99**t) / (1 - 0.9**t)
    return rate * correction * h[0] / (np.sqrt(h[1]) + 1e-3)


RULES: dict[str, tuple[str, Callable[..., Array]]] = {
    "SGD": ("momentum: 0.9", sgd),
    "Nesterov": ("momentum: 0.9", nesterov),
    "AdaGrad": ("delta: 1e-3", adagrad),
    "RMSProp": ("rms_decay: 0.95 delta: 1e-3", rmsprop),
    "AdaDelta": ("momentum: 0.9 delta: 1e-3", adadelta),
    "Adam": ("momentum: 0.9 momentum2: 0.99 delta: 1e-3", adam),
}


def _solver(folder: Path, extra: str, device: str = "cpu") -> Solver:
    (folder / "net.prototxt").write_text(NET)
    text = f'net: "{folder}/net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 9 random_seed: 3 snapshot_prefix: "{folder}/s" '
    (folder / "solver.prototxt").write_text(text + extra)
    return Solver(folder / "solver.prototxt", device=device)


def test_every_rule_is_here() -> None:
    assert rule_names() == sorted([*RULES, "AdamW", "LAMB", "LARS"])


@pytest.mark.parametrize("name", rule_names())
def test_a_rule_reads_what_it_says(name: str) -> None:
    rule = rules()[name]
    plain = rule(SolverParameter(momentum=0.9)).constants(3, 1.0)
    changed = {"momentum2": 0.5, "rms_decay": 0.5, "delta": 0.5}
    read = {
        f
        for f, value in changed.items()
        if rule(SolverParameter(momentum=0.9, **{f: value})).constants(3, 1.0) != plain
    }
    assert read == set(rule.reads)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("regularization", ["L1", "L2"])
def test_a_rule_is_its_formula(name: str, regularization: str, tmp_path: Path, device: str) -> None:
    fields, formula = RULES[name]
    extra = f'type: "{name}" weight_decay: 0.02 regularization_type: "{regularization}" iter_size: 2 {fields}'
    solver = _solver(tmp_path, extra, device)
    blobs = solver.net.params["ip"]
    weights = [b.data.astype(np.float64) for b in blobs]
    history: list[History] = [[np.zeros(b.shape)] * 2 for b in blobs]
    for t in range(1, 6):
        solver.net.clear_param_diffs()
        for _ in range(2):
            solver.net.forward()
            solver.net.backward()
        gradients = [b.diff / 2 for b in blobs]
        solver.update.apply(0.1, t - 1)
        for i, (multiplier, decay) in enumerate([(2, 0.02), (0.5, 0)]):
            w = weights[i]
            g = gradients[i] + decay * (np.sign(w) if regularization == "L1" else w)
            weights[i] = w - formula(g, history[i], 0.1 * multiplier, t)
            np.testing.assert_allclose(blobs[i].data, weights[i], rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("name", ["AdaGrad", "RMSProp"])
def test_momentum_is_refused_where_it_means_nothing(name: str, tmp_path: Path) -> None:
    with pytest.raises(SolverError, match=f"{name} takes no momentum, it is 0.9") as caught:
        _solver(tmp_path, f'type: "{name}" momentum: 0.9')
    assert caught.value.place is not None and caught.value.place.line == 1


def test_old_solver_types_are_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "brew"):
        assert _solver(tmp_path, "solver_type: ADAM").param.type == "Adam"
    assert 'solver_type: ADAM is read as type: "Adam"' in caplog.messages
    with pytest.raises(SolverError, match="type and solver_type are both given"):
        _solver(tmp_path, 'type: "Adam" solver_type: ADAM')
