"""What an update costs: no array of the model's size on the host, nothing made or read back on the device."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from cuda_host import fake_cupy, host_cuda

from brew import cuda
from brew.solver.solver import Solver
from brew.solver.update.make import rule_names

NET = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: %d } data_filler { type: "gaussian" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: %d weight_filler { type: "xavier" } } }
layer { name: "loss" type: "Reduction" bottom: "ip" top: "loss" loss_weight: 1 }
"""
CLIPS = "weight_decay: 0.1 clip_gradients: 0.5 clip_value: 0.01 iter_size: 2"
CASES = [
    *(f'type: "{name}" {CLIPS}' for name in rule_names()),
    f"larc: true momentum: 0.9 {CLIPS}",
    f'type: "Nesterov" decoupled_weight_decay: true regularization_type: "L1" {CLIPS}',
]


def make(folder: Path, side: int, fields: str, device: str) -> Solver:
    (folder / "net.prototxt").write_text(NET % (side, side))
    text = f'net: "{folder}/net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 9 snapshot_prefix: "{folder}/s" '
    (folder / "solver.prototxt").write_text(text + fields)
    solver = Solver(folder / "solver.prototxt", device=device)
    solver.net.run_forward()
    solver.net.run_backward()
    return solver


@pytest.mark.parametrize("fields", CASES)
def test_the_host_makes_no_array_of_the_models_size(fields: str, tmp_path: Path) -> None:
    solver = make(tmp_path, 600, fields, "cpu")
    solver.update.apply(0.1, 0)  # scratch of a piece for each thread is made once, at the first update
    tracemalloc.start()
    try:
        solver.update.apply(0.1, 1)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < solver.net.parameters.arena.nbytes / 20


@pytest.mark.parametrize("fields", CASES)
def test_the_device_makes_nothing_and_reads_nothing_back(
    fields: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with host_cuda(seed=3):
        solver = make(tmp_path, 5, fields, "cuda")

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("an update made an array, or read one back")

        for owner, name in [(cuda, "empty"), (cuda, "zeros"), (cuda, "asarray"), (cuda, "asnumpy"),
                            (fake_cupy.ndarray, "get")]:  # fmt: skip
            monkeypatch.setattr(owner, name, refuse)
        for iteration in range(3):
            solver.update.apply(0.1, iteration)
        monkeypatch.undo()
        assert np.isfinite(cuda.asnumpy(solver.net.parameters.arena)).all()
