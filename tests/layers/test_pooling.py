from __future__ import annotations

import logging

import numpy as np
import pytest

from brew.errors import NetError
from brew.layer.random import Stream
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)
LOWEST = float(np.finfo(np.float32).min)


def pooling(fields: str, tops: str = "") -> str:
    return f'type: "Pooling" name: "pool" {tops} pooling_param {{ {fields} }}'


def with_mask(fields: str) -> str:
    return pooling(fields, 'top: "y" top: "mask"')


def planes(*rows):
    return np.array(rows, float).reshape(1, 1, len(rows), -1)


def distinct(*shape):
    """Values far enough apart for numeric gradients."""
    return random.permutation(int(np.prod(shape))).reshape(shape) / 4


X = planes([1, 5, 2, 5], [4, 3, 0, 1], [7, 7, 8, 2])


def test_max_worked_by_hand(device):
    run = run_layer(
        with_mask("kernel_size: 2 stride: 2"),
        [X],
        top_diffs=[planes([1, 2], [3, 4]), np.ones((1, 1, 2, 2))],
        device=device,
    )
    assert run.tops[0].tolist() == [[[[5, 5], [7, 8]]]]
    assert run.tops[1].tolist() == [[[[1, 3], [8, 10]]]]
    assert run.bottom_diffs[0].tolist() == [[[[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 4, 0]]]]


def test_max_gradients_of_overlapping_windows_add(device):
    run = run_layer(pooling("kernel_size: 2"), [X], top_diffs=[np.ones((1, 1, 2, 3))], device=device)
    assert run.tops[0].tolist() == [[[[5, 5, 5], [7, 8, 8]]]]
    assert run.bottom_diffs[0].tolist() == [[[[0, 2, 0, 1], [0, 0, 0, 0], [1, 0, 2, 0]]]]


def test_max_of_nan_and_below_the_lowest(device):
    nan = np.nan
    x = planes([nan, nan, 1, nan, -np.inf, LOWEST])
    run = run_layer(
        with_mask("kernel_h: 1 kernel_w: 2 stride: 2"),
        [x],
        top_diffs=[np.ones((1, 1, 1, 3))] * 2,
        device=device,
    )
    assert run.tops[0].tolist() == [[[[LOWEST, 1, LOWEST]]]]
    assert run.tops[1].tolist() == [[[[-1, 2, -1]]]]
    assert run.bottom_diffs[0].tolist() == [[[[0, 0, 1, 0, 0, 0]]]]


def test_average_divides_by_window_and_padding(device):
    text = pooling("pool: AVE kernel_size: 2 stride: 2 pad: 1")
    run = run_layer(text, [X[:, :, :2, :3]], top_diffs=[planes([4, 4], [4, 4])], device=device)
    assert run.tops[0].tolist() == [[[[0.25, 1.75], [1, 0.75]]]]
    assert run.bottom_diffs[0].tolist() == [[[[1, 1, 1], [1, 1, 1]]]]
    # what overhangs the input does not count: 5 columns, the last window holds one
    run = run_layer(pooling("pool: AVE kernel_size: 2 stride: 2"), [np.ones((1, 1, 2, 5))], device=device)
    assert run.tops[0].tolist() == [[[[1, 1, 1]]]]


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize(
    ("fields", "shape", "out"),
    [
        ("kernel_size: 3 stride: 2", (2, 3, 6, 5), (3, 2)),
        ("kernel_size: 3 stride: 2 round_mode: FLOOR", (2, 1, 6, 5), (2, 2)),
        ("kernel_size: 3 stride: 2 pad: 1", (1, 2, 7, 8), (4, 5)),
        ("kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 0", (2, 2, 4, 6), (5, 3)),
        ("kernel_size: 4 stride: 2", (1, 1, 3, 6), (1, 2)),
        ("global_pooling: true", (2, 3, 4, 5), (1, 1)),
        ("kernel_size: 1", (1, 1, 3, 4), (3, 4)),
    ],
)
def test_shapes_and_gradients(pool, fields, shape, out, device):
    text, x = pooling(f"pool: {pool} {fields}"), distinct(*shape)
    assert run_layer(text, [x], device=device).tops[0].shape == (*shape[:2], *out)
    check_gradient(text, [x], device=device)


def test_large_global_windows(device):
    x = distinct(2, 2, 20, 30)
    run = run_layer(with_mask("global_pooling: true"), [x], top_diffs=[np.ones((2, 2, 1, 1))] * 2, device=device)
    flat = x.reshape(2, 2, -1)
    assert run.tops[0].squeeze().tolist() == flat.max(axis=2).tolist()
    assert run.tops[1].squeeze().tolist() == flat.argmax(axis=2).tolist()
    assert np.argwhere(run.bottom_diffs[0].reshape(4, -1))[:, 1].tolist() == flat.argmax(axis=2).ravel().tolist()


def test_kernels_of_many_elements(device):
    x = distinct(1, 2, 20, 19)
    run = run_layer(with_mask("kernel_size: 17 stride: 2"), [x], device=device)
    best = x[0, 1, 2:19, 2:19]
    at = np.unravel_index(best.argmax(), best.shape)
    assert run.tops[0][0, 1, 1, 1] == best.max()
    assert run.tops[1][0, 1, 1, 1] == (at[0] + 2) * 19 + at[1] + 2


@pytest.mark.parametrize(("pool", "value"), [("MAX", LOWEST), ("AVE", 0)])
def test_a_window_outside_the_input_is_warned_of_once(pool, value, device, caplog):
    text = pooling(f"pool: {pool} kernel_size: 1 stride: 3")
    with caplog.at_level(logging.WARNING, "brew"):
        run = run_layer(text, [np.ones((1, 1, 5, 5))], top_diffs=[np.ones((1, 1, 3, 3))], device=device)
    assert run.tops[0].tolist() == [[[[1, 1, value], [1, 1, value], [value] * 3]]]
    assert run.bottom_diffs[0].sum() == 4
    assert [r.getMessage()[:22] for r in caplog.records] == ['layer "pool" (Pooling)']


def test_stochastic_draws_the_first_that_reaches_the_threshold(device):
    x = random.random((2, 3, 6, 6)).astype(np.float32)
    text = pooling("pool: STOCHASTIC kernel_size: 3 stride: 3")
    run = run_layer(text, [x], top_diffs=[np.ones((2, 3, 2, 2))], device=device, passes=5, seed=3)
    share = (Stream(3, "pool/pooling").uint32(24, index=5).astype(float) + 1) / 2**32
    windows = x.reshape(2, 3, 2, 3, 2, 3).transpose(0, 1, 2, 4, 3, 5).reshape(24, 9)
    running = np.cumsum(windows, axis=1)
    chosen = (running >= share[:, np.newaxis] * running[:, -1:]).argmax(axis=1)
    assert run.tops[0].ravel().tolist() == windows[np.arange(24), chosen].tolist()
    assert run.bottom_diffs[0].sum() == 24
    assert (run.bottom_diffs[0] * x).sum() == pytest.approx(run.tops[0].sum())


def test_stochastic_draws_in_proportion(device):
    x = np.tile(planes([1, 3]), (1, 2000, 1, 1))
    run = run_layer(pooling("pool: STOCHASTIC kernel_h: 1 kernel_w: 2"), [x], device=device)
    assert (run.tops[0] == 3).mean() == pytest.approx(0.75, abs=0.03)


def test_stochastic_takes_the_mean_in_the_test_phase(device):
    text = pooling("pool: STOCHASTIC kernel_size: 2 stride: 2")
    run = run_layer(text, [planes([1, 3, 0], [0, 0, 0])], phase="TEST", device=device)
    assert run.tops[0].tolist() == [[[[2.5, 0]]]]
    check_gradient(text, [random.random((2, 2, 5, 4)) + 0.1], phase="TEST", device=device)


@pytest.mark.parametrize("pool", ["MAX", "AVE", "STOCHASTIC"])
def test_an_empty_batch(pool, device):
    run = run_layer(
        pooling(f"pool: {pool} kernel_size: 2"),
        [np.ones((0, 3, 4, 4))],
        top_diffs=[np.ones((0, 3, 3, 3))],
        device=device,
    )
    assert run.tops[0].shape == (0, 3, 3, 3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "kernel_size is missing"),
        ("kernel_size: 2 kernel_h: 2", "either kernel_size or kernel_h and kernel_w, not both"),
        ("kernel_h: 2", "kernel_h and kernel_w go together; only kernel_h is given"),
        ("kernel_size: 0", "kernel_size must be at least 1, got 0 x 0"),
        ("kernel_size: 2 stride: 0", "stride must be at least 1"),
        ("kernel_size: 2 stride: 2 stride_w: 1", "either stride or"),
        ("kernel_size: 2 pad: 2", "pad 2 x 2 must be smaller than the kernel, 2 x 2"),
        ("kernel_size: 2 pad_h: 1", "pad_h and pad_w go together"),
        ("kernel_size: 2 pad: 1 pool: STOCHASTIC", "padding is for MAX and AVE"),
        ("kernel_size: 5 round_mode: FLOOR", "a kernel of 5 x 5 does not fit into 3 x 4"),
        ("kernel_size: 9 stride: 2", "a kernel of 9 x 9 does not fit into 3 x 4"),
        ("global_pooling: true kernel_size: 2", "no kernel may be given"),
        ("global_pooling: true pad: 1", "needs pad 0 and stride 1"),
        ("global_pooling: true stride: 2", "needs pad 0 and stride 1"),
    ],
)
def test_mistakes_are_named(fields, message):
    with pytest.raises(NetError, match=rf'layer "pool" \(Pooling\): .*{message}'):
        run_layer(pooling(fields), [X])


def test_only_max_has_a_mask_and_only_4_axes_will_do():
    with pytest.raises(NetError, match="mask, is for MAX only"):
        run_layer(with_mask("pool: AVE kernel_size: 2"), [X])
    with pytest.raises(NetError, match=r"a bottom of 4 axes; bottoms are .* 3 x 4"):
        run_layer(pooling("kernel_size: 2"), [X[0, 0]])
