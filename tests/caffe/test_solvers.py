"""caffe.SGDSolver and the others: what scripts read, set and call."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

import brew.caffe as caffe
from brew.errors import DeviceError, UsageError


def fed(solver: caffe.SGDSolver) -> caffe.SGDSolver:
    solver.net.blobs["x"].data[...] = np.eye(4, 3)
    solver.net.blobs["t"].data[...] = [0, 1, 2, 3]
    return solver


def test_a_script_reads_and_drives_it(solver_file: str, tmp_path: Path) -> None:
    solver = fed(caffe.SGDSolver(solver_file))
    assert (solver.iter, solver.lr, solver.param.max_iter, solver.param.display) == (0, 0.5, 3, 0)
    assert isinstance(solver.net, caffe.Net) and len(solver.test_nets) == 1
    first = solver.net.forward()["loss"].item()
    solver.step(2)
    assert solver.iter == 2 and solver.net.forward()["loss"].item() < first
    solver.snapshot()
    solver.solve()
    assert solver.iter == 3
    other = fed(caffe.SGDSolver(solver_file))
    other.restore(str(tmp_path / "small_iter_2.solverstate"))
    assert other.iter == 2
    other.step(1)
    np.testing.assert_array_equal(other.net.params["ip"][0].data, solver.net.params["ip"][0].data)
    again = fed(caffe.SGDSolver(solver_file))
    again.solve(str(tmp_path / "small_iter_2.solverstate"))
    np.testing.assert_array_equal(again.net.params["ip"][0].data, solver.net.params["ip"][0].data)


def test_test_nets_see_the_weights_at_once(solver_file: str) -> None:
    solver = fed(caffe.SGDSolver(solver_file))
    x, t = np.eye(4, 3), np.zeros(4)
    before = solver.test_nets[0].forward(x=x, t=t)["prob"].copy()
    solver.net.params["ip"][0].diff[...] = np.arange(15).reshape(5, 3)
    solver.apply_update()
    after = solver.test_nets[0].forward(x=x, t=t)["prob"]
    assert np.abs(after - before).max() > 0.1
    np.testing.assert_array_equal(after, solver.net.forward(x=x, t=t)["prob"])
    solver.test_nets[0].share_with(solver.net)  # as it does already
    np.testing.assert_array_equal(solver.test_nets[0].forward(x=x, t=t)["prob"], after)


def test_an_update_by_hand(solver_file: str) -> None:
    solver = caffe.SGDSolver(solver_file)
    weights = solver.net.params["ip"][0]
    weights.data[...], weights.diff[...] = 1, 2
    solver.apply_update()
    np.testing.assert_array_equal(weights.data, 1 - 0.5 * 2)
    assert solver.iter == 1
    solver.param.base_lr = 0.25
    weights.diff[...] = 2
    solver.apply_update()
    np.testing.assert_array_equal(weights.data, 0 - 0.25 * 2)
    assert solver.lr == 0.25


def test_a_rate_that_is_changed_between_steps_counts(solver_file: str) -> None:
    solver = fed(caffe.SGDSolver(solver_file))
    solver.step(1)
    before = solver.net.params["ip"][0].data.copy()
    solver.param.base_lr = 0
    solver.step(1)
    np.testing.assert_array_equal(solver.net.params["ip"][0].data, before)


def test_looking_at_a_rate_takes_no_step(solver_file: str) -> None:
    solver = caffe.SGDSolver(solver_file)
    solver.param.lr_policy, solver.param.base_lr, solver.param.gamma = "multistep", 8, 0.5
    solver.param.stepvalue.extend([0, 0])  # "multistep" takes one in an iteration
    assert [solver.lr for _ in range(3)] == [4, 4, 4]
    solver.apply_update()
    assert solver.lr == 2


def test_callbacks_stand_around_the_passes(solver_file: str) -> None:
    solver, calls = fed(caffe.SGDSolver(solver_file)), []
    weights = solver.net.params["ip"][0]

    def ready() -> None:
        calls.append("ready" if np.abs(weights.diff).max() > 0 else "no gradient")
        weights.diff[...] = 0

    solver.add_callback(lambda: calls.append(f"start {solver.iter}"), ready)
    solver.add_callback(caffe.NCCL(solver, caffe.NCCL.new_uid()))
    before = weights.data.copy()
    solver.step(2)
    assert calls == ["start 0", "ready", "start 1", "ready"]
    np.testing.assert_array_equal(weights.data, before)  # what a callback makes of a gradient counts


def test_a_net_of_the_users_takes_the_weights_over(solver_file: str, small: str) -> None:
    solver, net = fed(caffe.SGDSolver(solver_file)), caffe.Net(small, caffe.TEST)
    net.forward()
    solver.share_weights(net)
    solver.step(2)
    x, t = np.eye(4, 3), np.zeros(4)
    np.testing.assert_array_equal(net.forward(x=x, t=t)["prob"], solver.net.forward(x=x, t=t)["prob"])
    with pytest.raises(UsageError, match="a net that a solver trains cannot take over"):
        solver.net.share_with(caffe.Net(small, caffe.TRAIN))


@pytest.mark.parametrize("name", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_get_solver_gives_the_class_of_the_type(name: str, solver_file: str) -> None:
    file = Path(solver_file)
    file.write_text(file.read_text() + f'type: "{name}"' + (" delta: 1e-8" if name.startswith("Ada") else ""))
    solver = caffe.get_solver(solver_file)
    assert type(solver) is getattr(caffe, f"{name}Solver")
    assert isinstance(solver, caffe.SGDSolver)
    fed(solver).step(1)
    assert solver.iter == 1


def test_the_class_counts_where_the_file_names_another_type(solver_file: str, caplog: pytest.LogCaptureFixture) -> None:
    file = Path(solver_file)
    file.write_text(file.read_text() + 'type: "Adam"')
    with caplog.at_level(logging.WARNING, "brew"):
        solver = caffe.NesterovSolver(solver_file)
    assert solver.param.type == "Nesterov"
    assert 'type is "Adam", but the script makes a NesterovSolver' in caplog.text
    caplog.clear()
    file.write_text(file.read_text().replace('type: "Adam"', ""))
    with caplog.at_level(logging.WARNING, "brew"):
        assert caffe.AdamSolver(solver_file).param.type == "Adam"
    assert not caplog.records


def test_nccl_is_for_one(solver_file: str) -> None:
    assert not caffe.has_nccl() and isinstance(caffe.NCCL.new_uid(), bytes)
    solver = caffe.SGDSolver(solver_file)
    caffe.NCCL(solver, caffe.NCCL.new_uid()).bcast()
    caffe.set_solver_count(2)
    try:
        with pytest.raises(DeviceError, match="2 solvers are to train together"):
            caffe.NCCL(solver, caffe.NCCL.new_uid())
    finally:
        caffe.set_solver_count(1)


def test_a_script_may_count_its_own_steps(solver_file: str) -> None:
    """As py-faster-rcnn's does: its solvers have no max_iter."""
    path = Path(solver_file)
    path.write_text(path.read_text().replace("max_iter: 3 ", ""))
    solver = caffe.SGDSolver(solver_file)
    solver.step(5)
    assert solver.iter == 5
