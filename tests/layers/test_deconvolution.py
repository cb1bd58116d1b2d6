from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer import Wanted
from brew.ops.windows import correlation, correlation_cuda
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)


def deconvolution(fields: str) -> str:
    return f'type: "Deconvolution" name: "up" convolution_param {{ weight_filler {{ type: "xavier" }} {fields} }}'


def spread(x, w, b, stride=1, pad=0, dilation=1, group=1):
    """Two spatial axes, straight from the definition."""
    kernel, outputs = w.shape[2:], w.shape[1]
    whole = [stride * (n - 1) + dilation * (k - 1) + 1 for n, k in zip(x.shape[2:], kernel, strict=True)]
    y = np.zeros((len(x), outputs * group, *whole))
    for c, i, j, r, s in product(*map(range, (x.shape[1], *x.shape[2:], *kernel))):
        first = c // (x.shape[1] // group) * outputs
        at = stride * i + dilation * r, stride * j + dilation * s
        y[:, first : first + outputs, *at] += x[:, c, i, j, np.newaxis] * w[c, :, r, s]
    return y[:, :, pad : whole[0] - pad, pad : whole[1] - pad] + b[:, np.newaxis, np.newaxis]


def test_worked_by_hand(device):
    run = run_layer(
        deconvolution("num_output: 1 kernel_size: 2 stride: 2"),
        [[[[[1, 2]]]]],
        params=[[[[[1, 2], [3, 4]]]], [10]],
        top_diffs=[[[[[1, 0, 0, 1], [0, 0, 1, 0]]]]],
        device=device,
    )
    assert run.tops[0].tolist() == [[[[11, 12, 12, 14], [13, 14, 16, 18]]]]
    assert run.bottom_diffs[0].tolist() == [[[[1, 2 + 3]]]]
    assert run.param_diffs[0].tolist() == [[[[1, 2], [2, 0]]]]
    assert run.param_diffs[1].tolist() == [3]


CASES = {
    "plain": ((2, 3, 5, 4), "num_output: 4 kernel_size: 3", {}),
    "strided": ((3, 2, 5, 4), "num_output: 3 kernel_size: 4 stride: 2 pad: 1", {"stride": 2, "pad": 1}),
    "gaps between the windows": ((2, 2, 3, 4), "num_output: 3 kernel_size: 2 stride: 3", {"stride": 3}),
    "dilated": ((2, 2, 4, 5), "num_output: 3 kernel_size: 3 dilation: 2 pad: 1", {"dilation": 2, "pad": 1}),
    "grouped": ((2, 4, 4, 5), "num_output: 6 kernel_size: 3 group: 2 pad: 1", {"group": 2, "pad": 1}),
    "depthwise": ((8, 4, 4, 3), "num_output: 4 kernel_size: 4 stride: 2 group: 4", {"stride": 2, "group": 4}),
    "pointwise": ((3, 4, 5, 6), "num_output: 5 kernel_size: 1", {}),
    "one channel, one column": ((3, 1, 4, 1), "num_output: 2 kernel_h: 3 kernel_w: 1", {}),
    "one image": ((1, 3, 5, 4), "num_output: 4 kernel_size: 3 pad: 1", {"pad": 1}),
    "one pixel": ((2, 3, 1, 1), "num_output: 2 kernel_size: 4", {}),
}


@pytest.mark.parametrize("tile", [None, 300])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_definition(case, tile, device, monkeypatch):
    shape, fields, named = CASES[case]
    if tile:  # so small that the batch takes several tiles
        monkeypatch.setattr(correlation, "_TILE", tile)
        monkeypatch.setattr(correlation_cuda, "_TILE", tile)
    x = random.standard_normal(shape)
    run = run_layer(deconvolution(fields), [x], dtype=np.float64, device=device)
    w, b = run.params
    np.testing.assert_allclose(run.tops[0], spread(x, w, b, **named), atol=1e-12)
    check_gradient(deconvolution(fields), [x], device=device)


@pytest.mark.parametrize(
    ("shape", "fields", "top"),
    [
        ((2, 3), "num_output: 4", (2, 4)),
        ((2, 3, 4), "num_output: 4 kernel_size: 3 stride: 2", (2, 4, 9)),
        ((1, 2, 2, 3, 2), "num_output: 3 kernel_size: 2 stride: 2", (1, 3, 4, 6, 4)),
        ((2, 2, 3, 4, 3), "num_output: 2 kernel_size: 3 axis: -3", (2, 2, 2, 6, 5)),
    ],
)
def test_any_number_of_axes(shape, fields, top, device):
    x = random.standard_normal(shape)
    assert run_layer(deconvolution(fields), [x], device=device).tops[0].shape == top
    check_gradient(deconvolution(fields), [x], device=device)


def test_it_is_the_adjoint_of_convolution(device):
    fields = "kernel_size: 3 stride: 2 pad: 1 group: 2 bias_term: false"
    x, y = random.standard_normal((2, 4, 3, 5)), random.standard_normal((2, 6, 5, 9))
    w = random.standard_normal((4, 3, 3, 3))
    up = run_layer(deconvolution(f"{fields} num_output: 6"), [x], params=[w], dtype=np.float64, device=device)
    down = run_layer(
        f'type: "Convolution" convolution_param {{ {fields} num_output: 4 }}',
        [y], params=[w], dtype=np.float64, device=device,
    )  # fmt: skip
    assert np.vdot(up.tops[0], y) == pytest.approx(np.vdot(x, down.tops[0]))


def test_bilinear_weights_enlarge_a_plane_of_ones_to_ones(device):
    fields = (
        'num_output: 2 group: 2 kernel_size: 4 stride: 2 pad: 1 bias_term: false weight_filler { type: "bilinear" }'
    )
    run = run_layer(f'type: "Deconvolution" convolution_param {{ {fields} }}', [np.ones((1, 2, 4, 4))], device=device)
    np.testing.assert_allclose(run.tops[0][:, :, 1:-1, 1:-1], 1, rtol=1e-6)


def test_bottoms_share_the_weights(device):
    x = list(random.standard_normal((3, 2, 2, 4, 4)))
    text = 'bottom: "a" bottom: "b" bottom: "c" top: "d" top: "e" top: "f" ' + deconvolution(
        "num_output: 2 kernel_size: 3"
    )
    run = run_layer(text, x, dtype=np.float64, device=device)
    for bottom, top in zip(x, run.tops, strict=True):
        np.testing.assert_allclose(top, spread(bottom, *run.params), atol=1e-12)
    check_gradient(text, x, device=device)


def test_an_empty_batch_leaves_nothing(device):
    run = run_layer(
        deconvolution("num_output: 2 kernel_size: 3"),
        [np.empty((0, 3, 5, 5))],
        top_diffs=[np.empty((0, 2, 7, 7))],
        device=device,
    )
    assert run.tops[0].shape == (0, 2, 7, 7)
    assert not run.param_diffs[0].any()


def test_only_what_is_wanted_is_computed(device):
    x, dy = random.standard_normal((4, 2, 5, 5)), random.standard_normal((4, 3, 7, 7))
    text = deconvolution("num_output: 3 kernel_size: 3")
    whole = run_layer(text, [x], top_diffs=[dy], device=device)
    bottom = run_layer(text, [x], top_diffs=[dy], want=Wanted((True,), (False, False)), device=device)
    weights = run_layer(text, [x], top_diffs=[dy], want=Wanted((False,), (True, False)), device=device)
    np.testing.assert_array_equal(bottom.bottom_diffs[0], whole.bottom_diffs[0])
    np.testing.assert_array_equal(weights.param_diffs[0], whole.param_diffs[0])
    assert bottom.param_diffs == [None, None] and weights.bottom_diffs == [None]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("kernel_size: 3", "num_output must be at least 1"),
        ("num_output: 4 group: 3 kernel_size: 3", "group 3 does not divide num_output, 4"),
        ("num_output: 4 group: 4 kernel_size: 3", "group 4 does not divide the bottom's channels, 6"),
        ("num_output: 4 kernel_size: 1 pad: 3", "the top would be -1 x -1: the padding takes more than there is"),
        ("num_output: 4 kernel_size: 3 axis: 4", "axis 4 is out of range"),
        ("num_output: 4", "kernel_size is missing"),
    ],
)
def test_mistakes_are_named(fields, message):
    with pytest.raises(NetError, match=rf'layer "up" \(Deconvolution\): .*{message}'):
        run_layer(deconvolution(fields), [np.ones((2, 6, 5, 5))])
