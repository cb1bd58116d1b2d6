from __future__ import annotations

import numpy as np
import pytest

from brew.errors import DataError, NetError
from brew.layer import Wanted
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)


def embed(fields=""):
    return f'name: "words" type: "Embed" embed_param {{ input_dim: 3 num_output: 2 {fields} }}'


W, B = np.arange(6.0).reshape(3, 2), np.array([10.0, 20.0])


def test_worked_by_hand(device):
    dy = np.arange(8.0).reshape(2, 2, 2)
    run = run_layer(embed(), [[[2, 0], [2, 2]]], params=[W, B], top_diffs=[dy], device=device)
    assert run.tops[0].tolist() == [[[14, 25], [10, 21]], [[14, 25], [14, 25]]]
    assert run.param_diffs[0].tolist() == [[2, 3], [0, 0], [10, 13]]
    assert run.param_diffs[1].tolist() == [12, 16]
    assert run.bottom_diffs == [None]


@pytest.mark.parametrize("fields", ["", "bias_term: false"])
@pytest.mark.parametrize("shape", [(), (0, 4), (1,), (7, 5), (2000,)])
def test_gradient(shape, fields, device):
    params = [random.standard_normal((3, 2)), random.standard_normal(2)]
    params = params[: 1 if fields else 2]
    check_gradient(embed(fields), [random.integers(0, 3, shape)], params=params, device=device)


def test_more_rows_than_indices(device):
    text = 'type: "Embed" embed_param { input_dim: 5000 num_output: 300 }'
    index = random.integers(4000, 4400, 400)
    check_gradient(text, [index], params=[np.zeros((5000, 300)), np.zeros(300)], device=device)


def test_fillers():
    params = run_layer(embed("weight_filler { value: 2 } bias_filler { value: 3 }"), [[0]]).params
    assert [p.tolist() for p in params] == [[[2, 2]] * 3, [3, 3]]
    assert [p.shape for p in run_layer(embed("bias_term: false"), [[0]]).params] == [(3, 2)]


def test_frozen_table(device):
    run = run_layer(
        embed(),
        [[1, 1]],
        params=[W, B],
        top_diffs=[np.ones((2, 2))],
        device=device,
        want=Wanted((False,), (False, True)),
    )
    assert run.param_diffs[0] is None and run.param_diffs[1].tolist() == [2, 2]


@pytest.mark.parametrize("index", [3, -1, 1.5, np.nan])
def test_an_index_that_names_no_row(index, device):
    if device == "cpu":
        message = (
            rf'layer "words" \(Embed\): index {index:g} at position 1 names no row; expected an integer from 0 to 2'
        )
        with pytest.raises(DataError, match=message):
            run_layer(embed(), [[0, index]])
        return
    run = run_layer(embed("bias_term: false"), [[0, index]], params=[W], top_diffs=[np.ones((2, 2))], device=device)
    assert run.tops[0][0].tolist() == [0, 1] and np.isnan(run.tops[0][1]).all()
    assert run.param_diffs[0].tolist() == [[1, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize(("given", "missing"), [("input_dim: 3", "num_output"), ("num_output: 3", "input_dim")])
def test_sizes_are_needed(given, missing):
    with pytest.raises(NetError, match=f"{missing} must be given and at least 1"):
        run_layer(f'type: "Embed" embed_param {{ {given} }}', [[0]])
