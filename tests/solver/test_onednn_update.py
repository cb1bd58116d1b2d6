"""The update of small nets by oneDNN: NumPy's update and Caffe's formula, whatever the multipliers, on any threads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import brew
from brew import prototxt
from brew.cpu import threads, workers
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter, SolverParameter
from brew.solver.solver import Solver
from brew.solver.update.host import HostUpdate
from brew.solver.update.make import make_update, rule_class
from brew.solver.update.onednn import MomentumOneDNN

pytestmark = pytest.mark.onednn

DATA = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 4 dim: 90 } data_filler { type: "gaussian" } } }
"""
END = 'layer { name: "loss" type: "Reduction" bottom: "%s" top: "loss" loss_weight: 1 }'


def product(name: str, bottom: str, outputs: int, weights: str = "", bias: str = "lr_mult: 2") -> str:
    return (
        f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}" param {{ {weights} }} param {{ {bias} }}'
        f' inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }}'
        ' bias_filler { type: "constant" value: 0.3 } } }\n'
    )


BIASES = product("a", "x", 60) + product("b", "a", 80)
SEVERAL = (  # a small layer first, stretches with other multipliers, one that stands still
    product("a", "x", 9, "lr_mult: 3", "lr_mult: 4 decay_mult: 0") + product("b", "a", 300, "lr_mult: 0.5")
    + product("c", "b", 10, "decay_mult: 5") + product("d", "c", 400, "lr_mult: 0", "lr_mult: 0")
)  # fmt: skip
ALIKE = product("a", "x", 30, "", "") + product("b", "a", 2, "", "")
NETS = {"biases": BIASES, "several": SEVERAL, "alike": ALIKE}


def train(folder: Path, net: str, fields: str = "", *, at_once: bool = True) -> list[npt.NDArray[np.float32]]:
    """Five updates by oneDNN or NumPy: weights, steps, history."""
    last = net.rsplit('top: "', 1)[1].split('"')[0]
    (folder / "net.prototxt").write_text(DATA + net + END % last)
    text = f'net: "{folder}/net.prototxt" base_lr: 0.01 lr_policy: "step" gamma: 0.5 stepsize: 2 max_iter: 9 random_seed: 3 '
    (folder / "solver.prototxt").write_text(f'{text} momentum: 0.9 snapshot_prefix: "{folder}/s" {fields}')
    solver = Solver(folder / "solver.prototxt", device="cpu")
    assert isinstance(solver.update, HostUpdate)
    assert isinstance(solver.update._at_once, MomentumOneDNN)
    if not at_once:
        solver.update._at_once = None
    solver.step(5)
    return [solver.net.parameters.arena, solver.net.parameters.gradient_arena, *solver.update.history]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize(
    "fields",
    ["weight_decay: 0.02", "", "weight_decay: 0.02 clip_gradients: 0.01 iter_size: 2", "warmup_iter: 4 warmup_start_lr: 0.001"],
)  # fmt: skip
def test_it_is_numpys_update(name: str, fields: str, tmp_path: Path) -> None:
    results = [train(tmp_path, NETS[name], fields, at_once=at_once) for at_once in (True, False)]
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6 * abs(other).max())
    assert abs(results[0][2]).max() > 0


@pytest.mark.parametrize("name", NETS)
def test_no_bit_depends_on_the_number_of_threads(name: str, tmp_path: Path) -> None:
    results = []
    try:
        for number in (1, 2, 3):
            threads.use(number)
            results.append([array.tobytes() for array in train(tmp_path, NETS[name], "weight_decay: 0.02")])
    finally:
        threads.use(None)
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("fields", ["clip_value: 0.1", 'type: "Nesterov"', "decoupled_weight_decay: true weight_decay: 0.1",
                                    'regularization_type: "L1"', "larc: true"])  # fmt: skip
def test_other_updates_are_numpys(fields: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        train(tmp_path, BIASES, fields)


def test_large_nets_go_through_the_cache_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "SHARED", 1000)
    with pytest.raises(AssertionError):
        train(tmp_path, BIASES)


def test_a_net_that_only_runs_forward_has_numpys() -> None:
    """`brew time -mode=forward` makes an update and never applies it."""
    net = Net(prototxt.parse(DATA + BIASES, NetParameter), brew.TEST, forward_only=True, engine="onednn")
    rule = rule_class("SGD")
    assert rule is not None
    update = make_update(net.parameters, net.engine, rule(SolverParameter(momentum=0.9)))
    assert isinstance(update, HostUpdate)
    assert update._at_once is None
