from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.net.net import Net
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
TEXT = 'type: "Filter"'
X = np.arange(10.0).reshape(5, 2)


def test_worked_by_hand(device):
    run = run_layer(TEXT, [X, [0, 1, 0, -2, 0.5]], top_diffs=[[[1, 2], [3, 4], [5, 6]]], device=device)
    assert run.tops[0].tolist() == [[2, 3], [6, 7], [8, 9]]
    assert run.bottom_diffs[0].tolist() == [[0, 0], [1, 2], [0, 0], [3, 4], [5, 6]]
    assert run.bottom_diffs[1] is None


@pytest.mark.parametrize("kept", [0, 1, 3, 5])
@pytest.mark.parametrize("selector", [(5,), (5, 1, 1)])
def test_several_bottoms(kept, selector, device):
    text = f'{TEXT} top: "a" top: "b"'
    keep = np.zeros(selector)
    keep[random.permutation(5)[:kept]] = 1
    bottoms = [random.standard_normal((5, 3, 2)), random.standard_normal(5), keep]
    run = run_layer(text, bottoms, top_diffs=[np.ones((kept, 3, 2)), np.ones(kept)], device=device)
    assert [y.shape for y in run.tops] == [(kept, 3, 2), (kept,)]
    assert [dx.sum() for dx in run.bottom_diffs[:2]] == [6 * kept, kept]
    check_gradient(text, bottoms, check_bottoms=[0, 1], device=device)


def test_empty_batch(device):
    run = run_layer(TEXT, [np.ones((0, 3)), np.ones(0)], top_diffs=[np.ones((0, 3))], device=device)
    assert run.tops[0].shape == run.bottom_diffs[0].shape == (0, 3)


def test_in_a_net_the_number_kept_changes(tmp_path, device):
    path = tmp_path / "net.prototxt"
    path.write_text(
        """force_backward: true
        layer { name: "in" type: "Input" top: "x" top: "s" input_param { shape { dim: 3 dim: 2 } shape { dim: 3 } } }
        layer { name: "filter" type: "Filter" bottom: "x" bottom: "s" top: "y" }
        layer { name: "sum" type: "Reduction" bottom: "y" top: "l" loss_weight: 2 }"""
    )
    net = Net(path, 0, device=device)
    net.blobs["x"].data[...] = [[1, 2], [3, 4], [5, 6]]
    for selector, kept, total in (([0, 1, 0], 1, 7), ([1, 1, 1], 3, 21), ([0, 0, 0], 0, 0), ([1, 0, 1], 2, 14)):
        net.blobs["s"].data[...] = selector
        net.forward()
        net.backward()
        assert net.blobs["y"].data.shape == (kept, 2)
        assert net.blobs["l"].data == total
        assert net.blobs["x"].diff.tolist() == [[2 * s, 2 * s] for s in selector]


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(5, 2), (5, 2)], "a selector, the last bottom, with one number per item"),
        ([(5, 2), ()], "a selector, the last bottom, with one number per item"),
        ([(5, 2), (4,)], "as many items in each bottom as the selector has numbers"),
        ([(), (1,)], "as many items in each bottom as the selector has numbers"),
    ],
)
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(NetError, match=message):
        run_layer(TEXT, [np.zeros(s) for s in shapes])


def test_number_of_tops():
    with pytest.raises(NetError, match="one top for each bottom but the last, the selector: 2, not 1"):
        run_layer(TEXT, [X, X, np.ones(5)])
