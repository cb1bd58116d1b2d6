from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
A, B, C = [2.0, -1.0, 4.0], [3.0, -1.0, 1.0], [3.0, 5.0, 4.0]
DY = [1.0, 10.0, 100.0]


def eltwise(fields: str = "", names: str = "") -> str:
    return f'type: "Eltwise" {names} eltwise_param {{ {fields} }}'


@pytest.mark.parametrize(
    ("fields", "y", "dx"),
    [
        ("", [8, 3, 9], [DY, DY, DY]),
        ("coeff: 1 coeff: 2 coeff: -1", [5, -8, 2], [DY, [2, 20, 200], [-1, -10, -100]]),
        ("operation: PROD", [18, 5, 16], [[9, -50, 400], [6, -50, 1600], [6, 10, 400]]),
        ("operation: PROD stable_prod_grad: false", [18, 5, 16], [[9, -50, 400], [6, -50, 1600], [6, 10, 400]]),
        # ties: in the first element bottoms 1 and 2, in the last 0 and 2: the earlier has it
        ("operation: MAX", [3, 5, 4], [[0, 0, 100], [1, 0, 0], [0, 10, 0]]),
    ],
)
@pytest.mark.parametrize("names", ["", 'bottom: "a" bottom: "b" bottom: "c" top: "a"'])
def test_worked_by_hand(fields, y, dx, names, device):
    run = run_layer(eltwise(fields, names), [A, B, C], top_diffs=[DY], device=device)
    assert run.tops[0].tolist() == y
    assert [d.tolist() for d in run.bottom_diffs] == dx


def test_a_tie_of_the_first_two_goes_to_the_second(device):
    run = run_layer(eltwise("operation: MAX"), [[1.0], [1.0], [1.0]], top_diffs=[[1]], device=device)
    assert [d.tolist() for d in run.bottom_diffs] == [[0], [1], [0]]


@pytest.mark.parametrize("names", ["", 'bottom: "a" bottom: "b" bottom: "c" top: "a"'])
@pytest.mark.parametrize("fields", ["", "coeff: 0.5 coeff: 2 coeff: -3", "operation: PROD", "operation: MAX"])
def test_gradient(fields, names, device):
    bottoms = random.permuted(np.linspace(-2, 2, 60)).reshape(3, 4, 5)  # no two values are close
    check_gradient(eltwise(fields, names), list(bottoms), device=device)


def test_zeros_in_a_product(device):
    zero, two = [[0.0]], [[2.0]]
    stable = run_layer(eltwise("operation: PROD"), [zero, two], top_diffs=[[[1]]], device=device)
    assert [d.item() for d in stable.bottom_diffs] == [2, 0]
    text = eltwise("operation: PROD stable_prod_grad: false")
    unstable = run_layer(text, [zero, two], top_diffs=[[[1]]], device=device)
    assert np.isnan(unstable.bottom_diffs[0]) and unstable.bottom_diffs[1] == 0


def test_errors():
    with pytest.raises(NetError, match='bottoms of one shape; bottoms are "bottom0" 3, "bottom1" 1'):
        run_layer(eltwise(), [A, [1.0]])
    with pytest.raises(NetError, match="needs one coeff per bottom, 2, got 1"):
        run_layer(eltwise("coeff: 1"), [A, B])
    with pytest.raises(NetError, match="coeff is for operation SUM only"):
        run_layer(eltwise("operation: MAX coeff: 1 coeff: 1"), [A, B])
