"""AdamW, LAMB, LARS, LARC, decoupled decay and clipping against float64 formulas written out plainly, on both devices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from brew.cpu import workers
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.solver import Solver
from brew.solver.training.update_problems import update_problems
from brew.solver.update import rule

NET = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 4 dim: 5 } data_filler { type: "gaussian" } } }
layer { name: "t" type: "DummyData" top: "t" dummy_data_param { shape { dim: 4 dim: 3 } data_filler { type: "constant" value: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" param { lr_mult: 2 } param { lr_mult: 0.5 decay_mult: 3 }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } bias_filler { type: "constant" value: 0.3 } } }
layer { name: "still" type: "InnerProduct" bottom: "ip" top: "y" param { lr_mult: 0 } param { lr_mult: 1 }
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""
RATE, WD, DELTA, PASSES = 0.1, 0.02, 1e-3, 2
LR_MULTS, DECAY_MULTS = (2.0, 0.5, 0.0, 1.0), (1.0, 3.0, 1.0, 1.0)
Array = np.ndarray[Any, Any]


def norm(x: Array) -> float:
    return float(np.sqrt((x.astype(np.float64) ** 2).sum()))


def adam_direction(g: Array, h: dict[str, Array], t: int) -> Array:
    """Kingma and Ba's algorithm 1, with b1 0.9 and b2 0.99."""
    h["m"] = 0.9 * h.get("m", 0.0) + 0.1 * g
    h["v"] = 0.99 * h.get("v", 0.0) + 0.01 * g**2
    return np.asarray(h["m"] / (1 - 0.9**t) / (np.sqrt(h["v"] / (1 - 0.99**t)) + DELTA))


def adamw(w: Array, g: Array, h: dict[str, Array], t: int, lr: float, decay: float) -> Array:
    return lr * (adam_direction(g, h, t) + decay * w)


def lamb(w: Array, g: Array, h: dict[str, Array], t: int, lr: float, decay: float) -> Array:
    u = adam_direction(g, h, t) + decay * w
    return lr * (norm(w) / norm(u) if norm(w) > 0 and norm(u) > 0 else 1.0) * u


def sgd(g: Array, h: dict[str, Array], lr: float) -> Array:
    h["v"] = 0.9 * h.get("v", 0.0) + lr * g
    return h["v"]


def nesterov(g: Array, h: dict[str, Array], lr: float) -> Array:
    before = h.get("v", 0.0)
    h["v"] = 0.9 * before + lr * g
    return 1.9 * h["v"] - 0.9 * before


def lars(w: Array, g: Array, h: dict[str, Array], t: int, lr: float, decay: float) -> Array:
    local = 0.05 * norm(w) / (norm(g) + decay * norm(w)) if norm(w) > 0 and norm(g) > 0 else 1.0
    return sgd(g + decay * w, h, lr * local)


def lars_decoupled(w: Array, g: Array, h: dict[str, Array], t: int, lr: float, decay: float) -> Array:
    local = 0.05 * norm(w) / norm(g) if norm(w) > 0 and norm(g) > 0 else 1.0
    return sgd(g, h, lr * local) + lr * decay * w


def larc_scale(w: Array, g: Array, h: dict[str, Array], t: int, lr: float, decay: float) -> Array:
    local = (1 - 0.9) * 0.5 * norm(w) / norm(g) if norm(w) > 0 and norm(g) > 0 else 1.0
    return nesterov(g + decay * w, h, lr * local)


def larc_clip(w: Array, g: Array, h: dict[str, Array], t: int, lr: float, decay: float) -> Array:
    local = (1 - 0.9) * 0.5 * norm(w) / norm(g) if norm(w) > 0 and norm(g) > 0 else RATE
    return sgd(g + decay * w, h, lr / RATE * min(RATE, local))


def sgdw(w: Array, g: Array, h: dict[str, Array], t: int, lr: float, decay: float) -> Array:
    return sgd(g, h, lr) + lr * decay * w


def sgdw_l1(w: Array, g: Array, h: dict[str, Array], t: int, lr: float, decay: float) -> Array:
    return sgd(g, h, lr) + lr * decay * np.sign(w)


ADAM = f"momentum: 0.9 momentum2: 0.99 delta: {DELTA}"
CASES: dict[str, tuple[str, Callable[..., Array]]] = {
    "AdamW": (f'type: "AdamW" {ADAM}', adamw),
    "LAMB": (f'type: "LAMB" {ADAM}', lamb),
    "LARS": ('type: "LARS" momentum: 0.9 local_gw_ratio: 0.05', lars),
    "local_lr_auto": ("momentum: 0.9 local_lr_auto: true local_gw_ratio: 0.05", lars),
    "LARS, decoupled": ('type: "LARS" momentum: 0.9 local_gw_ratio: 0.05 decoupled_weight_decay: true', lars_decoupled),
    "LARC, scale": ('type: "Nesterov" momentum: 0.9 larc: true larc_eta: 0.5', larc_scale),
    "LARC, clip": ('momentum: 0.9 larc: true larc_policy: "clip" larc_eta: 0.5', larc_clip),
    "SGD, decoupled": ("momentum: 0.9 decoupled_weight_decay: true", sgdw),
    "SGD, decoupled L1": ('momentum: 0.9 decoupled_weight_decay: true regularization_type: "L1"', sgdw_l1),
}
CLIPS = {
    "no clip": ("", -1.0, -1.0),
    "clip_value": ("clip_value: 0.3", 0.3, -1.0),
    "both": ("clip_value: 0.3 clip_gradients: 0.8", 0.3, 0.8),
}


def clipped(sums: list[Array], value: float, most: float) -> list[Array]:
    """Mean gradients from summed ones: each element of the mean held first, then the norm of the sum, as in Caffe."""
    if value >= 0:
        sums = [np.clip(g, -value * PASSES, value * PASSES) for g in sums]
    total = np.sqrt(sum(norm(g) ** 2 for g in sums))
    scale = most / total if 0 <= most < total else 1.0
    return [g * scale / PASSES for g in sums]


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("name", CASES)
def test_an_update_is_its_formula(
    name: str, clip: str, tmp_path: Path, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (rule, workers):
        monkeypatch.setattr(module, "PIECE", 4)  # parameters of several pieces, the last one shorter
    (fields, formula), (clip_fields, value, most) = CASES[name], CLIPS[clip]
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: {RATE} lr_policy: "fixed" max_iter: 9 random_seed: 3 '
        f'snapshot_prefix: "{tmp_path}/s" weight_decay: {WD} iter_size: {PASSES} {fields} {clip_fields}'
    )
    solver = Solver(tmp_path / "solver.prototxt", device=device)
    blobs = [b for bs in solver.net.params.values() for b in bs]
    weights = [b.data.astype(np.float64) for b in blobs]
    history: list[dict[str, Array]] = [{} for _ in blobs]
    for t in range(1, 6):
        solver.net.clear_param_diffs()
        for _ in range(PASSES):
            solver.net.forward()
            solver.net.backward()
        gradients = clipped([b.diff.astype(np.float64) for b in blobs], value, most)
        assert value < 0 or max(np.abs(b.diff).max() for b in blobs) > value * PASSES, "nothing to clip"
        solver.update.apply(RATE, t - 1)
        for i, blob in enumerate(blobs):
            lr, decay = RATE * LR_MULTS[i], WD * DECAY_MULTS[i]
            step = formula(weights[i], gradients[i], history[i], t, lr, decay)
            weights[i] = weights[i] - step
            np.testing.assert_allclose(blob.data, weights[i], rtol=3e-4, atol=3e-6, err_msg=f"{t}: weights {i}")
            np.testing.assert_allclose(blob.diff, step, rtol=3e-3, atol=3e-6, err_msg=f"{t}: step {i}")


def test_momentum_is_mended_while_warming_up(tmp_path: Path, device: str) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    text = f'net: "{tmp_path}/net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 9 momentum: 0.5 snapshot_prefix: "{tmp_path}/s"'
    (tmp_path / "solver.prototxt").write_text(text)
    solver = Solver(tmp_path / "solver.prototxt", device=device)
    blob = solver.net.params["ip"][0]
    for gradient, rate, scale in [(1, 0.1, 1.0), (0, 0.3, 3.0)]:
        blob.diff[...] = gradient
        solver.net.run_forward()  # takes what was written to the device
        solver.update.apply(rate, 0, scale)
    np.testing.assert_allclose(blob.diff, 0.5 * 3 * 0.1 * 2, rtol=1e-6)  # lr_mult is 2


@pytest.mark.parametrize(
    ("fields", "message", "path"),
    [
        ('type: "Adam" larc: true', "Adam has no larc: its step does not grow with the gradient", "larc"),
        ('type: "LAMB" local_lr_auto: true', "LAMB has no local_lr_auto", "local_lr_auto"),
        ('type: "LARS" larc: true', "larc and type LARS are two rates for each parameter", "larc"),
        ("larc: true local_lr_auto: true", "larc and local_lr_auto are two rates", "larc"),
        ('type: "LARS" local_lr_auto: false', "LARS is local_lr_auto: true, it is false", "local_lr_auto"),
        ('larc: true larc_policy: "clamp"', 'unknown larc_policy "clamp"', "larc_policy"),
        ("larc: true momentum: 1", "larc needs a momentum below 1, it is 1", "momentum"),
        ("larc_eta: 0", "larc_eta must be above 0, it is 0", "larc_eta"),
        ("local_gw_ratio: nan", "local_gw_ratio must be above 0, it is nan", "local_gw_ratio"),
        ('type: "adamw" decoupled_weight_decay: false', "AdamW decays weights beside the rule", "decoupled_weight_decay"),
        ('type: "LAMB" momentum: 1', "momentum must be from 0 to below 1 with LAMB, it is 1", "momentum"),
        ('type: "Adam" momentum2: 1', "momentum2 must be from 0 to below 1 with Adam, it is 1", "momentum2"),
        ("clip_value: 0", "clip_value must be above 0, or negative for none, it is 0", "clip_value"),
        ("ema_decay: 1", "ema_decay must be from 0 to below 1, it is 1", "ema_decay"),
        ("ema_decay: -0.5", "ema_decay must be from 0 to below 1, it is -0.5", "ema_decay"),
    ],
)  # fmt: skip
def test_mistakes_are_named(fields: str, message: str, path: str) -> None:
    ((said, where, _),) = update_problems(text_format.Parse(fields, SolverParameter()))
    assert said.startswith(message)
    assert where == (path,)


@pytest.mark.parametrize("fields", [fields for fields, _ in CASES.values()])
def test_right_fields_pass(fields: str) -> None:
    assert list(update_problems(text_format.Parse(fields, SolverParameter()))) == []
