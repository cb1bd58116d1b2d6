"""A training step on CUDA reads nothing back, allocates nothing, and leaves addresses where they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from cuda_host import fake_cupy, host_cuda

from brew import cuda, prototxt
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.solver import Solver

NET = """
name: "step"
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 }
  data_filler { type: "constant" value: 0.5 } } }
layer { name: "t" type: "DummyData" top: "t" dummy_data_param { shape { dim: 2 } data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "norm" type: "LRN" bottom: "pool" top: "norm" lrn_param { local_size: 3 } }
layer { name: "drop" type: "Dropout" bottom: "norm" top: "norm" }
layer { name: "ip" type: "InnerProduct" bottom: "norm" top: "ip" inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
"""


def test_a_step_reads_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    text = f'net: "{tmp_path}/net.prototxt" base_lr: 0.1 momentum: 0.9 lr_policy: "fixed" max_iter: 9 iter_size: 2 ' \
           f'clip_gradients: 1 weight_decay: 0.1 average_loss: 3 snapshot_prefix: "{tmp_path}/s"'  # fmt: skip
    with host_cuda(seed=3):
        solver = Solver(prototxt.parse(text, SolverParameter), device="cuda")
        solver.step(2)
        before = [step.io for step in solver.net.executor.steps]

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a step copied between host and device, or allocated")

        for owner, name in [(cuda, "empty"), (cuda, "zeros"), (cuda, "asarray"), (cuda, "asnumpy"), (cuda, "download"),
                            (cuda, "upload"), (fake_cupy.ndarray, "get"), (fake_cupy.ndarray, "set")]:  # fmt: skip
            monkeypatch.setattr(owner, name, refuse)
        solver.step(3)
        assert all(a is step.io for a, step in zip(before, solver.net.executor.steps, strict=True))
        monkeypatch.undo()
        assert len(solver.losses.losses()) == 3 and solver.losses.mean() > 0
