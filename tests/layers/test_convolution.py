from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.ops.windows import correlation, correlation_cuda
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)


def convolution(fields: str) -> str:
    return f'type: "Convolution" name: "conv" convolution_param {{ weight_filler {{ type: "xavier" }} {fields} }}'


def correlate(x, w, b, stride=1, pad=0, dilation=1, group=1):
    """Two spatial axes, straight from the definition."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    reach = [dilation * (k - 1) + 1 for k in w.shape[2:]]
    out = [(n - r) // stride + 1 for n, r in zip(x.shape[2:], reach, strict=True)]
    y = np.zeros((len(x), len(w), *out))
    inputs, outputs = w.shape[1], len(w) // group
    for o, i, j in product(range(len(w)), *map(range, out)):
        first = o // outputs * inputs
        rows, columns = (
            slice(i * stride, i * stride + reach[0], dilation),
            slice(j * stride, j * stride + reach[1], dilation),
        )
        y[:, o, i, j] = (x[:, first : first + inputs, rows, columns] * w[o]).sum(axis=(1, 2, 3)) + b[o]
    return y


def test_worked_by_hand(device):
    run = run_layer(
        convolution("num_output: 1 kernel_size: 2"),
        [[[[[1, 2, 3], [4, 5, 6]]]]],
        params=[[[[[1, 0], [0, -1]]]], [10]],
        top_diffs=[[[[[1, 2]]]]],
        device=device,
    )
    assert run.tops[0].tolist() == [[[[6, 6]]]]
    assert run.bottom_diffs[0].tolist() == [[[[1, 2, 0], [0, -1, -2]]]]
    assert run.param_diffs[0].tolist() == [[[[5, 8], [14, 17]]]]
    assert run.param_diffs[1].tolist() == [3]


CASES = {
    "plain": ((2, 3, 7, 6), "num_output: 4 kernel_size: 3", {}),
    "strided": ((3, 2, 9, 8), "num_output: 3 kernel_size: 3 stride: 2 pad: 2", {"stride": 2, "pad": 2}),
    "dilated": ((2, 2, 8, 9), "num_output: 3 kernel_size: 3 dilation: 2 pad: 1", {"dilation": 2, "pad": 1}),
    "grouped": ((2, 6, 5, 6), "num_output: 4 kernel_size: 3 group: 2 pad: 1", {"group": 2, "pad": 1}),
    "depthwise": ((8, 4, 6, 5), "num_output: 8 kernel_size: 3 group: 4 pad: 1", {"group": 4, "pad": 1}),
    "pointwise": ((3, 4, 5, 6), "num_output: 5 kernel_size: 1", {}),
    "pointwise, small planes": ((5, 4, 2, 2), "num_output: 5 kernel_size: 1", {}),
    "pointwise, strided": ((3, 4, 5, 6), "num_output: 5 kernel_size: 1 stride: 2", {"stride": 2}),
    "one column wide": ((8, 2, 6, 5), "num_output: 3 kernel_h: 3 kernel_w: 1", {}),
    "one image": ((1, 3, 6, 5), "num_output: 4 kernel_size: 3 pad: 1", {"pad": 1}),
    "one image, no padding": ((1, 3, 6, 5), "num_output: 9 kernel_size: 3", {}),
    "one channel": ((20, 1, 6, 6), "num_output: 2 kernel_size: 5", {}),
    "more than one cache line of images": ((37, 2, 5, 5), "num_output: 3 kernel_size: 2", {}),
}


@pytest.mark.parametrize("tile", [None, 600])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_definition(case, tile, device, monkeypatch):
    shape, fields, named = CASES[case]
    if tile:  # so small that the batch takes several tiles
        monkeypatch.setattr(correlation, "_TILE", tile)
        monkeypatch.setattr(correlation_cuda, "_TILE", tile)
    x = random.standard_normal(shape)
    run = run_layer(convolution(fields), [x], dtype=np.float64, device=device)
    w, b = run.params
    np.testing.assert_allclose(run.tops[0], correlate(x, w, b, **named), atol=1e-12)
    check_gradient(convolution(fields), [x], device=device)


@pytest.mark.parametrize(
    ("shape", "fields", "top"),
    [
        ((2, 3), "num_output: 4", (2, 4)),
        ((2, 3, 9), "num_output: 4 kernel_size: 3 stride: 2", (2, 4, 4)),
        ((2, 3, 4, 5, 6), "num_output: 2 kernel_size: 3 stride: 1 stride: 2 stride: 1 pad: 1", (2, 2, 4, 3, 6)),
        ((2, 2, 3, 5, 4), "num_output: 2 kernel_size: 3 axis: 2", (2, 2, 2, 3, 2)),
        ((2, 2, 3, 5, 4), "num_output: 2 kernel_size: 2 axis: -3", (2, 2, 2, 4, 3)),
    ],
)
def test_any_number_of_axes(shape, fields, top, device):
    x = random.standard_normal(shape)
    assert run_layer(convolution(fields), [x], device=device).tops[0].shape == top
    check_gradient(convolution(fields), [x], device=device)


def test_bottoms_share_the_weights(device):
    x = random.standard_normal((2, 3, 2, 5, 5))
    text = 'bottom: "a" bottom: "b" bottom: "c" top: "d" top: "e" top: "f" ' + convolution(
        "num_output: 2 kernel_size: 3"
    )
    run = run_layer(text, list(x.transpose(1, 0, 2, 3, 4)), dtype=np.float64, device=device)
    for i in range(3):
        np.testing.assert_allclose(run.tops[i], correlate(x[:, i], *run.params), atol=1e-12)
    check_gradient(text, list(x.transpose(1, 0, 2, 3, 4)), device=device)


def test_an_empty_batch_leaves_nothing(device):
    run = run_layer(
        convolution("num_output: 2 kernel_size: 3"),
        [np.empty((0, 3, 5, 5))],
        top_diffs=[np.empty((0, 2, 3, 3))],
        device=device,
    )
    assert run.tops[0].shape == (0, 2, 3, 3)
    assert not run.param_diffs[0].any()


def test_only_what_is_wanted_is_computed(device):
    x, dy = random.standard_normal((4, 2, 5, 5)), random.standard_normal((4, 3, 3, 3))
    text = convolution("num_output: 3 kernel_size: 3")
    whole = run_layer(text, [x], top_diffs=[dy], device=device)
    bottom = run_layer(text, [x], top_diffs=[dy], want=Wanted((True,), (False, False)), device=device)
    weights = run_layer(text, [x], top_diffs=[dy], want=Wanted((False,), (True, False)), device=device)
    np.testing.assert_array_equal(bottom.bottom_diffs[0], whole.bottom_diffs[0])
    np.testing.assert_array_equal(weights.param_diffs[0], whole.param_diffs[0])
    assert bottom.param_diffs == [None, None]
    assert weights.bottom_diffs == [None]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("kernel_size: 3", "num_output must be at least 1"),
        ("num_output: 4 group: 0 kernel_size: 3", "group must be at least 1"),
        ("num_output: 4 group: 3 kernel_size: 3", "group 3 does not divide num_output, 4"),
        ("num_output: 4 group: 4 kernel_size: 3", "group 4 does not divide the bottom's channels, 6"),
        ("num_output: 4 kernel_size: 8 pad: 1", "reaches 8 x 8 does not fit into the padded input, 7 x 7"),
        ("num_output: 4 kernel_size: 3 axis: 4", "axis 4 is out of range"),
        ("num_output: 4", "kernel_size is missing"),
    ],
)
def test_mistakes_are_named(fields, message):
    with pytest.raises(NetError, match=rf'layer "conv" \(Convolution\): .*{message}'):
        run_layer(convolution(fields), [np.ones((2, 6, 5, 5))])


def test_bottoms_of_two_shapes_are_refused():
    text = 'bottom: "a" bottom: "b" top: "c" top: "d" ' + convolution("num_output: 2 kernel_size: 1")
    with pytest.raises(NetError, match='bottoms of one shape; bottoms are "a" 2 x 1 x 4 x 4, "b" 2 x 1 x 4 x 5'):
        run_layer(text, [np.ones((2, 1, 4, 4)), np.ones((2, 1, 4, 5))])
    with pytest.raises(NetError, match="takes one top per bottom; there are 2 and 1"):
        run_layer(text.replace('top: "d"', ""), [np.ones((2, 1, 4, 4))] * 2)
