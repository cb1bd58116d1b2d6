from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.layers import lrn as module
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)


def lrn(fields: str) -> str:
    return f'type: "LRN" name: "norm" lrn_param {{ {fields} }}'


def test_across_channels_worked_by_hand(device):
    # alpha / n = 1; the windows are clipped at the ends and the divisor is not
    run = run_layer(lrn("local_size: 3 alpha: 3 beta: 1 k: 2"), [np.reshape([1, 2, 3], (1, 3, 1, 1))], device=device)
    np.testing.assert_allclose(run.tops[0].ravel(), [1 / (2 + 5), 2 / (2 + 14), 3 / (2 + 13)], rtol=1e-6)


def test_within_channel_worked_by_hand_ignores_k(device):
    text = lrn("norm_region: WITHIN_CHANNEL local_size: 3 alpha: 9 beta: 1 k: 5")
    run = run_layer(text, [[[[[1, 2], [0, 3]]]]], device=device)
    np.testing.assert_allclose(run.tops[0], np.array([[[[1, 2], [0, 3]]]]) / (1 + 14), rtol=1e-6)
    run = run_layer(text, [[[[[1, 2, 3]]]]], device=device)
    np.testing.assert_allclose(run.tops[0], [[[[1 / 6, 2 / 15, 3 / 14]]]], rtol=1e-6)


def test_the_usual_beta_is_a_power_like_any_other(device):
    x = random.standard_normal((2, 7, 3, 4))
    square = np.pad(x * x, ((0, 0), (2, 2), (0, 0), (0, 0)))
    scale = 1 + 0.5 / 5 * sum(square[:, i : i + 7] for i in range(5))
    run = run_layer(lrn("alpha: 0.5"), [x], dtype=np.float64, device=device)
    np.testing.assert_allclose(run.tops[0], x * scale**-0.75, rtol=1e-6)


@pytest.mark.parametrize("region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
@pytest.mark.parametrize("fields", ["", "local_size: 3 alpha: 2 beta: 0.6", "local_size: 1", "local_size: 9 beta: 0"])
@pytest.mark.parametrize("shape", [(2, 6, 3, 5), (1, 1, 4, 2), (3, 4, 1, 1)])
def test_gradients(region, fields, shape, device):
    check_gradient(lrn(f"norm_region: {region} {fields}"), [random.standard_normal(shape)], device=device)


@pytest.mark.parametrize("region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
@pytest.mark.parametrize("tile", [1, 50])
def test_tiles_change_nothing(region, tile, monkeypatch):
    x, dy = random.standard_normal((2, 3, 6, 5, 4))
    text = lrn(f"norm_region: {region} local_size: 3")
    whole = run_layer(text, [x], top_diffs=[dy])
    monkeypatch.setattr(module, "_TILE", tile)
    tiled = run_layer(text, [x], top_diffs=[dy])
    np.testing.assert_array_equal(tiled.tops[0], whole.tops[0])
    np.testing.assert_array_equal(tiled.bottom_diffs[0], whole.bottom_diffs[0])


@pytest.mark.parametrize("region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
def test_an_empty_batch(region, device):
    empty = np.empty((0, 3, 4, 4))
    run = run_layer(lrn(f"norm_region: {region}"), [empty], top_diffs=[empty], device=device)
    assert run.bottom_diffs[0].shape == (0, 3, 4, 4)


def test_mistakes_are_named():
    with pytest.raises(NetError, match=r'layer "norm" \(LRN\): local_size must be odd, got 4'):
        run_layer(lrn("local_size: 4"), [np.ones((1, 1, 2, 2))])
    with pytest.raises(NetError, match=r"a bottom of 4 axes; bottoms are .* 2 x 3"):
        run_layer(lrn(""), [np.ones((2, 3))])


@pytest.mark.parametrize("region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
def test_a_window_far_wider_than_the_blob(region, device):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    run = run_layer(lrn(f"norm_region: {region} local_size: 4294967295 alpha: 1e9 beta: 1"), [x], device=device)
    n = 4294967295.0 if region == "ACROSS_CHANNELS" else 4294967295.0**2
    axes = 1 if region == "ACROSS_CHANNELS" else (2, 3)
    expected = x / (1 + 1e9 / n * np.square(x).sum(axis=axes, keepdims=True))
    np.testing.assert_allclose(run.tops[0], expected, rtol=1e-5)
