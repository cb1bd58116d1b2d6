from __future__ import annotations

import numpy as np
import pytest

from brew.errors import DataError, NetError
from brew.testing import check_gradient, run_layer

TEXT = 'name: "pick" type: "BatchReindex"'
X = np.arange(10.0).reshape(5, 2)


def test_worked_by_hand(device):
    dy = [[1, 2], [3, 4], [5, 6], [7, 8]]
    run = run_layer(TEXT, [X, [4, 0, 4, 4]], top_diffs=[dy], device=device)
    assert run.tops[0].tolist() == [[8, 9], [0, 1], [8, 9], [8, 9]]
    assert run.bottom_diffs[0].tolist() == [[3, 4], [0, 0], [0, 0], [0, 0], [13, 16]]
    assert run.bottom_diffs[1] is None


@pytest.mark.parametrize("shape", [(5,), (1, 2, 3), (5, 2, 3), (300, 7), (5, 40000), (3, 0)])
@pytest.mark.parametrize("picked", [0, 1, 7, 600])
def test_gradient(shape, picked, device):
    random = np.random.default_rng(picked)
    index = np.minimum(random.geometric(0.2, picked) - 1, shape[0] - 1)  # some often, some never
    if picked * np.prod(shape) < 2e6:
        check_gradient(TEXT, [random.standard_normal(shape), index], check_bottoms=[0], device=device)


def test_many_of_one_index_are_summed_in_a_fixed_order(device):
    dy = np.random.default_rng(0).standard_normal((700, 3)).astype(np.float32)
    first, second = (run_layer(TEXT, [np.ones((2, 3)), np.ones(700)], top_diffs=[dy], device=device) for _ in range(2))
    assert (first.bottom_diffs[0] == second.bottom_diffs[0]).all()
    np.testing.assert_allclose(first.bottom_diffs[0], [[0] * 3, dy.sum(0, dtype=np.float64)], rtol=1e-4)


@pytest.mark.parametrize("index", [5, -1, 0.5, np.nan, np.inf, 1e30])
def test_an_index_that_names_no_row(index, device):
    if device == "cpu":
        message = f'layer "pick" \\(BatchReindex\\): index {index:g} at position 1 names no row; expected an integer from 0 to 4'
        with pytest.raises(DataError, match=message.replace("+", r"\+")):
            run_layer(TEXT, [X, [0, index]])
        return
    run = run_layer(TEXT, [X, [2, index]], top_diffs=[[[1, 2], [3, 4]]], device=device)
    assert run.tops[0][0].tolist() == [4, 5] and np.isnan(run.tops[0][1]).all()
    assert run.bottom_diffs[0].tolist() == [[0, 0], [0, 0], [1, 2], [0, 0], [0, 0]]


@pytest.mark.parametrize("shapes", [[(), (2,)], [(2, 3), (2, 1)], [(2, 3), ()]])
def test_errors(shapes):
    with pytest.raises(NetError, match="a bottom of at least 1 axis and indices of exactly 1"):
        run_layer(TEXT, [np.zeros(s) for s in shapes])
