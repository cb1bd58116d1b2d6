"""Host views are the truth between passes, whatever is called in between; on CUDA they have to be carried over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import brew
from brew import prototxt
from brew.net.net import Net
from brew.proto.brew_pb2 import NetParameter, SolverParameter
from brew.solver.solver import Solver

NET = """
layer { name: "in" type: "Input" top: "x" top: "t"
  input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""


def net_of(text: str = NET, **options: object) -> Net:
    return Net(prototxt.parse(text, NetParameter), brew.TRAIN, seed=3, **options)  # type: ignore[arg-type]


def test_data_and_weights_written_before_a_solver_steps_are_used(tmp_path: Path, device: str):
    (tmp_path / "net.prototxt").write_text(NET)
    text = f'net: "{tmp_path}/net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 9 snapshot_after_train: false'
    solver = Solver(prototxt.parse(text, SolverParameter), device=device)
    weight = solver.net.params["ip"][0].data
    solver.net.blobs["x"].data[...] = 1
    solver.net.blobs["t"].data[...] = 5
    weight[...] = 2
    solver.step(1)
    # y = 6 and dy = (6 - 5) / 4 in each of four rows: the gradient is 1
    np.testing.assert_allclose(solver.net.blobs["y"].data, 6)
    np.testing.assert_allclose(weight, 1.9, rtol=1e-6)


@pytest.mark.parametrize("ending", ["caffemodel", "caffemodel.h5"])
def test_weights_written_by_hand_are_saved(tmp_path: Path, device: str, ending: str):
    net = net_of(device=device)
    net.forward()
    net.params["ip"][0].data[...] = 7
    net.save(tmp_path / f"w.{ending}")
    assert (net_of(weights=tmp_path / f"w.{ending}").params["ip"][0].data == 7).all()


def test_gradients_of_lent_parameters_are_cleared(device: str):
    net = net_of(device=device)
    borrower = net_of(device=device, share=net)
    borrower.blobs["t"].data[...] = 1
    gradient = borrower.params["ip"][1].diff
    for _ in range(2):
        borrower.clear_param_diffs()
        assert not gradient.any()
        borrower.forward()
        borrower.backward()
    np.testing.assert_allclose(gradient, -1)
    assert not net.params["ip"][1].diff.any()


def test_parameters_shared_by_count_may_be_lent():
    text = (
        NET.replace('name: "ip" type', 'name: "ip" param { name: "w" } type')
        + """
    layer { name: "ip2" param { name: "w" share_mode: PERMISSIVE } type: "InnerProduct" bottom: "x" top: "y2"
      inner_product_param { num_output: 2 transpose: true } }
    """
    )
    net = net_of(text)
    borrower = net_of(text, share=net)
    assert borrower.params["ip2"][0].shape == (3, 2)
    assert borrower.params["ip2"][0].data_memory is net.params["ip"][0].data_memory
    assert borrower.params["ip2"][0].diff_memory is borrower.params["ip"][0].diff_memory


def test_a_lender_with_other_parameters_is_refused():
    without = NET.replace("num_output: 2", "num_output: 2 bias_term: false")
    with pytest.raises(brew.BrewError, match=r'layer "ip" .*its parameter 1 is 2, .* shares weights with missing'):
        net_of(share=net_of(without))
    with pytest.raises(
        brew.BrewError, match=r"its parameter 0 is 2 x 3, float64 on cpu; .* with 2 x 3, float32 on cpu"
    ):
        net_of(share=net_of(), dtype=np.float64)


def test_a_blob_has_an_address_on_a_gpu_and_there_alone(device: str):
    net = net_of(device=device)
    blob = net.params["ip"][0]
    if device == "cpu":
        assert not hasattr(blob, "_gpu_data_ptr") and not hasattr(blob, "_gpu_diff_ptr")
    else:
        apart = net.params["ip"][1]._gpu_data_ptr - blob._gpu_data_ptr
        assert apart >= blob.count * 4 and apart % 64 == 0  # one behind the other, in the arena
        assert blob._gpu_diff_ptr != blob._gpu_data_ptr


def test_a_host_view_is_of_the_blobs_shape_whatever_was_done_to_an_earlier_one(device: str):
    blob = net_of(device=device).params["ip"][0]
    first = blob.data
    first[...] = 5
    first.shape = (first.size,)
    assert blob.data.shape == blob.shape
    assert (blob.data == 5).all() and np.shares_memory(first, blob.data)
