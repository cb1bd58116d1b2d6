"""Batch normalisation in code of our own, against float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from native_blobs import blocked, close, flat, plain, run

from brew.cpu import threads
from brew.cpu.native import batch_norm
from brew.cpu.native import blocked as blobs
from brew.cpu.native.batch_norm import BatchNorm, State
from brew.cpu.native.blocked import Blocked

pytestmark = pytest.mark.native

EPS = 1e-5
# images, channels, height, width; blocks whole and not, one pixel, chunks whole and not, sets of blocks taken at once
CASES = [(2, 7, 1, 1), (1, 5, 3, 3), (2, 16, 9, 9), (3, 20, 7, 11), (2, 33, 30, 31), (2, 16, 32, 16), (2, 70, 33, 16)]


@dataclass
class Result:
    mean: np.ndarray
    variance: np.ndarray
    y: np.ndarray
    dx: np.ndarray
    d_scale: np.ndarray
    d_shift: np.ndarray


class Problem:
    """Random blobs, and what comes of them in float64. No value is so near to where the ReLU bends that rounding decides."""

    def __init__(self, case: tuple[int, int, int, int], *, scale: bool = True, shift: bool = True, relu: bool = True):
        random, channels = np.random.default_rng(sum(case)), case[1]
        self.x = random.standard_normal(case).astype(np.float32)
        self.dy = random.standard_normal(case).astype(np.float32)
        self.scale = random.uniform(0.5, 2, channels).astype(np.float32) if scale else None
        self.shift = random.uniform(-1, 1, channels).astype(np.float32) if shift else None
        self.it = BatchNorm(Blocked(*case), EPS, relu)

    def expected(self) -> Result:
        x = self.x.astype(np.float64)
        mean, variance = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
        over = 1 / np.sqrt(variance + EPS)
        normal = (x - mean[:, None, None]) * over[:, None, None]
        one = np.ones(len(mean))
        scale, shift = one if self.scale is None else self.scale, 0 * one if self.shift is None else self.shift
        y = normal * scale[:, None, None] + shift[:, None, None]
        g = np.where(y > 0, self.dy, 0.0) if self.it.relu else self.dy.astype(np.float64)
        y = np.maximum(y, 0) if self.it.relu else y
        d_scale, d_shift, size = (g * normal).sum(axis=(0, 2, 3)), g.sum(axis=(0, 2, 3)), x.size / len(mean)
        dx = g - (d_shift[:, None, None] + normal * d_scale[:, None, None]) / size
        return Result(mean, variance, y, dx * (scale * over)[:, None, None], d_scale, d_shift)

    def found(self, *, in_place: bool = False) -> Result:
        it, channels = self.it, self.x.shape[1]
        state = State(flat(it.whole), flat(it.whole), flat(it.factors))
        x, y, dy, dx = blocked(self.x), blocked(self.x), blocked(self.dy), blocked(self.x)
        y[...] = dx[...] = np.nan
        d_scale, d_shift, scratch = flat(it.whole), flat(it.whole), flat(it.scratch)
        run(it.forward(x, y, self.scale, self.shift, state, scratch))
        scratch[...] = np.nan
        dx = dy if in_place else dx
        run(it.backward(x, dy, dx, state, d_scale, d_shift, scratch))
        per_channel = (row[:channels] for row in (state.mean, state.variance))
        return Result(*per_channel, plain(y, channels), plain(dx, channels), d_scale[:channels], d_shift[:channels])


@pytest.fixture(params=[1, 1 << 40], ids=["past the caches", "into the caches"], autouse=True)
def stores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "_LARGE", request.param)
    monkeypatch.setattr(batch_norm, "_CACHED", 140_000)


def check(found: Result, expected: Result, *, gradients: float = 1e-5) -> None:
    for name in ("mean", "variance", "y"):
        close(getattr(found, name), getattr(expected, name), 3e-6)
    for name in ("dx", "d_scale", "d_shift"):
        close(getattr(found, name), getattr(expected, name), gradients)


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(("scale", "shift"), [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("case", CASES[1:], ids=str)
def test_both_passes(case: tuple[int, int, int, int], scale: bool, shift: bool, relu: bool) -> None:
    p = Problem(case, scale=scale, shift=shift, relu=relu)
    check(p.found(), p.expected())


def test_blocks_are_taken_in_sets() -> None:
    it = Problem(CASES[-1]).it
    assert 1 < it._at_once < it.blob.blocks and it.blob.blocks % it._at_once


def test_two_pixels_of_a_channel() -> None:
    """Their gradients cancel out but for what epsilon leaves."""
    p = Problem(CASES[0], relu=False)
    found, expected = p.found(), p.expected()
    close(found.y, expected.y)
    assert abs(found.dx - expected.dx).max() < 1e-5


def test_the_gradient_may_overwrite_that_of_the_top() -> None:
    p = Problem(CASES[4])
    check(p.found(in_place=True), p.expected())


def test_a_mean_far_from_zero_costs_the_variance_nothing() -> None:
    p = Problem(CASES[4], relu=False)
    p.x += np.float32(1000)
    expected = p.expected()
    close(p.found().variance, expected.variance, 1e-5)
    close(p.found().dx, expected.dx, 1e-4)  # x itself has three digits behind the point


def test_the_number_of_threads_changes_no_bit() -> None:
    found = []
    try:
        for number in (1, 2, 3):
            threads.use(number)
            result = Problem(CASES[-1]).found()
            found.append(b"".join(part.tobytes() for part in vars(result).values()))
    finally:
        threads.use(None)
    assert found[0] == found[1] == found[2]


def test_nan_reaches_the_top() -> None:
    p = Problem(CASES[2])
    p.x[1, 3, 4, 5] = np.nan
    it = p.it
    state = State(flat(it.whole), flat(it.whole), flat(it.factors))
    y = blocked(p.x)
    run(it.forward(blocked(p.x), y, p.scale, p.shift, state, flat(it.scratch)))
    assert np.isnan(y[:, 0, :, :, 3]).all() and np.isfinite(y[:, 0, :, :, 4]).all()
