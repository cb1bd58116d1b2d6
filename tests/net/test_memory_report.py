"""A limit on memory: nets over it are refused before they are allocated, with their largest layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from brew import prototxt
from brew.errors import ResourceError, SolverError
from brew.net.memory_report import Budget
from brew.net.net import Net
from brew.proto.brew_pb2 import Datum, NetParameter, SolverParameter
from brew.solver.solver import Solver
from brew.units import mib

NET = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 1 dim: 1024 } } }
layer { name: "wide" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1024 } }
layer { name: "narrow" type: "InnerProduct" bottom: "y" top: "z" inner_product_param { num_output: 8 } }
layer { name: "loss" type: "Reduction" bottom: "z" top: "loss" loss_weight: 1 }
"""


def solver(folder: Path, settings: str, device: str = "cpu") -> Solver:
    text = f'net_param {{ {NET} }} base_lr: 0.1 lr_policy: "fixed" max_iter: 1 snapshot_prefix: "{folder}/s" {settings}'
    return Solver(prototxt.parse(text, SolverParameter), device=device)


def test_a_training_over_max_memory_is_refused(tmp_path: Path, device: str) -> None:
    needed = solver(tmp_path, "", device).net.memory
    solver(tmp_path, f'max_memory: "{needed.total}"', device)
    size = mib(needed.total)
    with pytest.raises(ResourceError) as caught:
        solver(tmp_path, f'max_memory: "{needed.total - 1}"', device)
    assert f"a net needs {size}, max_memory is {size}; the largest layers: wide 4.0 MiB, narrow" in str(caught.value)
    assert Net(prototxt.parse(NET, NetParameter).message).memory.total > 1 << 20  # the limit ended with the solver


def test_test_nets_count(tmp_path: Path) -> None:
    needed = solver(tmp_path, "").net.memory.total
    with pytest.raises(ResourceError, match=r"a net needs .* beside the .* of the nets before it, max_memory is"):
        solver(tmp_path, f'max_memory: "{needed + 1000}" test_iter: 1 test_interval: 1')


def test_what_is_no_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SolverError, match=r'max_memory is "much", which is no size.*as in 8G'):
        solver(tmp_path, 'max_memory: "much"')


def test_a_budget_is_of_the_nets_it_is_handed_to() -> None:
    def net(budget: Budget | None) -> Net:
        return Net(prototxt.parse(NET, NetParameter).message, budget=budget)

    needed = net(None).memory.total
    budget = Budget(2 * needed)
    assert [net(budget).memory.total, net(None).memory.total, net(budget).memory.total] == [needed] * 3
    assert budget.spent == 2 * needed
    with pytest.raises(ResourceError, match=r"a net needs .* beside the .* of the nets before it, max_memory is"):
        net(budget)


def test_batches_read_ahead_count(make_lmdb: Callable[..., Path]) -> None:
    folder = make_lmdb([Datum(channels=1, height=2, width=5, data=bytes(10)) for _ in range(3)])
    text = 'layer {{ name: "data" type: "Data" top: "x" top: "t" data_param {{ source: "{}" batch_size: 8 prefetch: {} }} }}'

    def net(prefetch: int) -> Net:
        return Net(prototxt.parse(text.format(folder, prefetch), NetParameter))

    batch = 8 * (10 + 1) * 4
    assert [net(ahead).memory.batches for ahead in (0, 1, 4)] == [2 * batch, 2 * batch, 5 * batch]
    assert net(4).memory.total - net(1).memory.total == 3 * batch
    with pytest.raises(ResourceError, match="are free; the largest layers") as caught:
        net(300_000_000)
    assert caught.value.hint is not None and "prefetch is how many batches are read ahead" in caught.value.hint
