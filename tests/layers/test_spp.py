from __future__ import annotations

import numpy as np
import pytest

from brew.errors import NetError
from brew.testing import check_gradient, run_layer

random = np.random.default_rng(0)


def spp(fields: str) -> str:
    return f'type: "SPP" name: "pyramid" spp_param {{ {fields} }}'


PLANE = [[[[1.0, 2, 3, 4], [5, 6, 7, 8]]]]


@pytest.mark.parametrize(
    ("pool", "bins", "diff"),
    [
        ("MAX", [8, 2, 4, 6, 8], [[0, 2, 0, 3], [0, 4, 0, 6]]),
        ("AVE", [4.5, 1.5, 3.5, 5.5, 7.5], [[1.125, 1.125, 1.625, 1.625], [2.125, 2.125, 2.625, 2.625]]),
    ],
)
def test_worked_by_hand(pool, bins, diff, device):
    run = run_layer(spp(f"pyramid_height: 2 pool: {pool}"), [PLANE], top_diffs=[[[1, 2, 3, 4, 5]]], device=device)
    assert run.tops[0].tolist() == [bins]
    assert run.bottom_diffs[0].tolist() == [[diff]]


def test_one_level_is_not_flattened(device):
    x = random.standard_normal((2, 3, 5, 4))
    run = run_layer(spp("pyramid_height: 1"), [x], device=device, dtype=np.float64)
    np.testing.assert_array_equal(run.tops[0], x.max(axis=(2, 3), keepdims=True))
    check_gradient(spp("pyramid_height: 1 pool: AVE"), [x], device=device)


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize(("size", "levels"), [((9, 7), 3), ((4, 4), 3), ((1, 1), 1), ((6, 11), 2)])
def test_the_levels_are_poolings(pool, size, levels, device):
    x = random.permuted(np.arange(6.0 * size[0] * size[1])).reshape(2, 3, *size) / 10  # no two maxima are near
    text = spp(f"pyramid_height: {levels} pool: {pool}")
    run = run_layer(text, [x], device=device, dtype=np.float64)
    pieces = []
    for level in range(levels):
        kernel = tuple(-(-n // 2**level) for n in size)
        pad = tuple((k * 2**level - n + 1) // 2 for k, n in zip(kernel, size, strict=True))
        names = zip(("kernel_h", "kernel_w", "stride_h", "stride_w", "pad_h", "pad_w"), (*kernel, *kernel, *pad),
                    strict=True)  # fmt: skip
        fields = " ".join(f"{n}: {v}" for n, v in names)
        pooled = run_layer(f'type: "Pooling" pooling_param {{ pool: {pool} {fields} }}', [x], dtype=np.float64)
        pieces.append(pooled.tops[0].reshape(2, -1))
    np.testing.assert_allclose(run.tops[0].reshape(2, -1), np.concatenate(pieces, 1), rtol=1e-12)
    check_gradient(text, [x], device=device)


def test_stochastic_draws_in_training_and_averages_in_test(device):
    x = random.uniform(1, 2, (2, 3, 8, 4))
    text = spp("pyramid_height: 3 pool: STOCHASTIC")
    drawn, again = (run_layer(text, [x], device=device, dtype=np.float64).tops[0] for _ in range(2))
    np.testing.assert_array_equal(drawn, again)
    assert np.isin(drawn, x).all()
    mean = run_layer(text, [x], device=device, dtype=np.float64, phase="TEST").tops[0]
    np.testing.assert_allclose(mean[:, :3], (x * x).sum((2, 3)) / x.sum((2, 3)))
    check_gradient(text, [x], device=device, phase="TEST")


def test_empty_batch(device):
    run = run_layer(spp("pyramid_height: 2"), [np.ones((0, 3, 4, 4))], top_diffs=[np.ones((0, 15))], device=device)
    assert run.tops[0].shape == (0, 15) and run.bottom_diffs[0].shape == (0, 3, 4, 4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("", "pyramid_height must be 1 to 31"),
        ("pyramid_height: 3", "planes of 5 x 5 are too small for the 4 bins a side of level 2"),
        ("pyramid_height: 2 pool: STOCHASTIC", "level 1 pads planes of 5 x 5: that is for MAX and AVE"),
    ],
)
def test_mistakes_are_named(fields, message):
    with pytest.raises(NetError, match=rf'layer "pyramid" \(SPP\): .*{message}'):
        run_layer(spp(fields), [np.ones((1, 1, 5, 5))])


def test_other_shapes_are_refused():
    with pytest.raises(NetError, match="a bottom of 4 axes"):
        run_layer(spp("pyramid_height: 1"), [np.ones((2, 3, 4))])
