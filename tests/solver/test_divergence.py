"""A loss that is no number: the layer that is named, and the state that skipping leaves as it was."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from brew import prototxt
from brew.errors import DivergedError
from brew.proto.brew_pb2 import SolverParameter
from brew.solver.solver import Solver

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 1 dim: 1 } } }
layer { name: "t" type: "Input" top: "t" input_param { shape { dim: 4 dim: 2 dim: 1 dim: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
  convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "loss" type: "EuclideanLoss" bottom: "conv" bottom: "t" top: "loss" }
"""


def make(folder: Path, settings: str, device: str) -> Solver:
    (folder / "net.prototxt").write_text(NET)
    text = f'net: "{folder}/net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 50 snapshot_prefix: "{folder}/s" '
    solver = Solver(prototxt.parse(text + settings, SolverParameter), device=device)
    random = np.random.default_rng(0)
    solver.net.blobs["x"].data = random.standard_normal((4, 3, 1, 1))
    solver.net.blobs["t"].data = random.standard_normal((4, 2, 1, 1))
    return solver


def parameters(solver: Solver) -> list[np.ndarray]:
    return [np.array(b.data_memory.host(b.shape)) for blobs in solver.net.params.values() for b in blobs]


def test_a_skipped_update_leaves_everything_but_the_iteration(tmp_path: Path, device: str):
    solver = make(tmp_path, "on_nan: SKIP momentum: 0.9 average_loss: 4", device)
    solver.step(3)
    before, losses = parameters(solver), solver.losses.losses()
    good = solver.net.blobs["x"].data.copy()
    solver.net.blobs["x"].data = np.nan
    solver.step(2)
    assert solver.iter == 5 and solver.guard.skipped == 2
    for a, b in zip(before, parameters(solver), strict=True):
        np.testing.assert_array_equal(a, b)
    assert solver.losses.losses() == losses
    solver.net.blobs["x"].data = good
    solver.step(1)
    assert np.isfinite(parameters(solver)[0]).all() and not np.array_equal(parameters(solver)[0], before[0])


def test_what_never_recovers_stops_all_the_same(tmp_path: Path, device: str):
    solver = make(tmp_path, "on_nan: SKIP", device)
    solver.net.blobs["x"].data = np.inf
    with pytest.raises(DivergedError, match="20 updates in a row were skipped"):
        solver.step(50)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ("x", 'layer "x" (Input) made the first blob that is not finite, "x"'),
        ("conv", 'weights of layer "conv" (Convolution) are not finite (its blob 0)'),
    ],
)
def test_the_first_bad_layer_is_named(tmp_path: Path, device: str, bad: str, named: str):
    solver = make(tmp_path, "display: 1", device)
    blob = solver.net.blobs["x"] if bad == "x" else solver.net.params["conv"][0]
    blob.data[0] = np.nan
    with pytest.raises(DivergedError) as caught:
        solver.step(1)
    assert named in str(caught.value) and "iteration 0: the loss is nan" in str(caught.value)
    assert caught.value.hint is not None and caught.value.hint.startswith("no update has been made yet")


def test_the_rate_is_told_once_there_was_one(tmp_path: Path, device: str):
    solver = make(tmp_path, "display: 1", device)
    solver.step(1)
    solver.net.params["conv"][0].data[0] = np.nan
    with pytest.raises(DivergedError) as caught:
        solver.step(1)
    assert caught.value.hint is not None and caught.value.hint.endswith("; last rate 0.1")


def test_bad_data_is_no_matter_of_the_rate(tmp_path: Path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.array([[1, 2], [np.nan, 3]], np.float32)
    (tmp_path / "list").write_text(str(tmp_path / "a.h5"))
    (tmp_path / "n").write_text(f"""
    layer {{ name: "d" type: "HDF5Data" top: "x" hdf5_data_param {{ source: "{tmp_path / "list"}" batch_size: 1 }} }}
    layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ num_output: 2 }} }}
    layer {{ name: "l" type: "Reduction" bottom: "y" top: "l" loss_weight: 1 }}""")
    text = f'net: "{tmp_path / "n"}" base_lr: 0.1 lr_policy: "fixed" max_iter: 9 display: 1 snapshot_prefix: "{tmp_path}/s"'
    solver = Solver(prototxt.parse(text, SolverParameter), device="cpu")
    with pytest.raises(DivergedError, match=r'"d" .HDF5Data. brings the first blob that is not finite') as caught:
        solver.step(9)
    assert caught.value.hint is not None and caught.value.hint.startswith("mend the record")
