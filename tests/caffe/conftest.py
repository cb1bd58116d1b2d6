"""A small net with a loss, in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

SMALL = """
name: "small"
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
"""
SOLVER = """
net: "{net}" base_lr: 0.5 lr_policy: "fixed" max_iter: 3 display: 0 snapshot_after_train: false random_seed: 1
test_iter: 1 test_interval: 100 test_initialization: false snapshot_prefix: "{folder}/small"
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    """The path of a net: an Input layer, an InnerProduct read twice, a Softmax and a loss."""
    path = tmp_path / "small.prototxt"
    path.write_text(SMALL)
    return str(path)


@pytest.fixture
def forced(tmp_path: Path) -> str:
    """The same, with force_backward."""
    path = tmp_path / "forced.prototxt"
    path.write_text("force_backward: true\n" + SMALL)
    return str(path)


@pytest.fixture
def solver_file(small: str, tmp_path: Path) -> str:
    """A solver of the small net."""
    path = tmp_path / "solver.prototxt"
    path.write_text(SOLVER.format(net=small, folder=tmp_path))
    return str(path)
