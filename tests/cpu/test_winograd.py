from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from native_blobs import blocked, close, flat, plain, run

from brew.cpu import threads
from brew.cpu.native.blocked import Blocked, width
from brew.cpu.native.winograd import Convolution, Finish, Overlapped
from brew.cpu.native.winograd_gradient import Gradient

pytestmark = pytest.mark.native

# images, channels, height, width, outputs, taps, pad, group; of blocks whole and not, tiles that end with the blob or
# reach beyond it, more than one part of a gradient, and filters whose blocks come in ones, twos and threes
CASES = [
    (1, 1, 1, 1, 1, 3, 1, 1),
    (2, 3, 5, 4, 7, 3, 1, 1),
    (2, 20, 12, 12, 50, 5, 0, 1),
    (1, 5, 6, 6, 17, 5, 2, 1),
    (3, 16, 9, 11, 48, 3, 0, 1),
    (2, 33, 8, 8, 16, 3, 2, 1),
    (1, 17, 7, 30, 33, 5, 3, 1),
    (2, 64, 13, 13, 96, 3, 1, 2),
    (1, 64, 7, 6, 64, 5, 2, 2),
    (20, 16, 32, 33, 32, 3, 1, 1),
]


class Problem:
    """A convolution with random numbers, and its results in float64."""

    def __init__(self, case: tuple[int, ...]) -> None:
        n, c, h, w, k, self.taps, pad, self.group = case
        self.pad = (pad, pad)
        random = np.random.default_rng(sum(case))
        self.oh, self.ow = (size + 2 * pad - self.taps + 1 for size in (h, w))
        self.x = random.standard_normal((n, c, h, w)).astype(np.float32)
        self.w = random.standard_normal((k, c // self.group, self.taps, self.taps)).astype(np.float32)
        self.b = random.standard_normal(k).astype(np.float32)
        self.dy = random.standard_normal((n, k, self.oh, self.ow)).astype(np.float32)
        self.source = Blocked(n, c, h, w, self.group)
        self.target = Blocked(n, k, self.oh, self.ow, self.group)

    def windows(self, x: np.ndarray) -> np.ndarray:
        """(n, group, channels, oh, ow, taps, taps), a view."""
        padded = np.pad(x, ((0, 0), (0, 0), *[(p, p) for p in self.pad]))
        found = np.lib.stride_tricks.sliding_window_view(padded, (self.taps, self.taps), (2, 3))
        return found.reshape(len(x), self.group, -1, *found.shape[2:])

    def forward(self) -> np.ndarray:
        x, w = self.windows(self.x.astype(np.float64)), self.w.reshape(self.group, -1, *self.w.shape[1:])
        return np.einsum("ngcyxij,gkcij->ngkyx", x, w, optimize=True).reshape(self.dy.shape)

    def data(self) -> np.ndarray:
        dx = np.zeros(self.x.shape, np.float64)
        padded = np.pad(dx, ((0, 0), (0, 0), *[(p, p) for p in self.pad]))
        dy = self.dy.reshape(len(dx), self.group, -1, self.oh, self.ow).astype(np.float64)
        w = self.w.reshape(self.group, -1, *self.w.shape[1:])
        for i in range(self.taps):
            for j in range(self.taps):
                part = np.einsum("ngkyx,gkc->ngcyx", dy, w[..., i, j], optimize=True)
                padded[:, :, i : i + self.oh, j : j + self.ow] += part.reshape(len(dx), -1, self.oh, self.ow)
        (top, left), (h, w_) = self.pad, dx.shape[2:]
        return padded[:, :, top : top + h, left : left + w_]

    def weights(self) -> np.ndarray:
        dy = self.dy.reshape(len(self.dy), self.group, -1, self.oh, self.ow).astype(np.float64)
        x = self.windows(self.x.astype(np.float64))
        return np.einsum("ngcyxij,ngkyx->gkcij", x, dy, optimize=True).reshape(self.w.shape)


def convolved(p: Problem, finish: Finish | None = None) -> np.ndarray:
    it = Convolution(
        p.source,
        p.target,
        p.taps,
        p.pad,
        threads.wanted(),
        derived=True,
        added=bool(finish and finish.added is not None),
    )
    transformed, y = flat(it.filters.size), np.empty_like(blocked(p.dy))
    run(it.transform(p.w, transformed))
    run(it.bind(blocked(p.x), y, transformed, flat(it.scratch), finish))
    return y


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward(case: tuple[int, ...]) -> None:
    p = Problem(case)
    close(plain(convolved(p), len(p.w)), p.forward())


@pytest.mark.parametrize("case", CASES[1:9], ids=str)
def test_forward_with_bias_another_blob_and_relu(case: tuple[int, ...]) -> None:
    p = Problem(case)
    bias = np.zeros(p.target.group * p.target.blocks * width(), np.float32)
    bias[: len(p.b)] = p.b
    y = plain(convolved(p, Finish(bias, blocked(p.dy), 0.25)), len(p.w))
    linear = p.forward() + p.b[:, None, None] + p.dy
    close(y, np.where(linear > 0, linear, 0.25 * linear))


@pytest.mark.parametrize("overlapped", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_of_the_bottom(case: tuple[int, ...], overlapped: bool) -> None:
    p = Problem(case)
    pad = tuple(p.taps - 1 - size for size in p.pad)
    turned = Convolution(p.target, p.source, p.taps, pad, threads.wanted(), derived=True, turned=True)
    it = Overlapped(p.target, p.source, p.taps, p.pad, threads.wanted(), derived=True) if overlapped else turned
    transformed, dx = flat(it.filters.size), np.full_like(blocked(p.x), np.nan)
    run(it.transform(p.w, transformed))
    run(it.bind(blocked(p.dy), dx, transformed, flat(it.scratch)))
    close(plain(dx, p.x.shape[1]), p.data())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_of_filters_and_bias_are_added(case: tuple[int, ...]) -> None:
    p = Problem(case)
    it = Gradient(p.source, p.target, p.taps, p.pad)
    dw, db = np.ones_like(p.w), np.ones_like(p.b)
    run(it.bind(blocked(p.x), blocked(p.dy), dw, flat(it.scratch), db))
    close(dw - 1, p.weights(), 3e-5)  # long sums of what nearly cancels out
    close(db - 1, p.dy.sum(axis=(0, 2, 3), dtype=np.float64), 3e-5)


def test_gradients_in_several_parts() -> None:
    p = Problem(CASES[-1])
    it = Gradient(p.source, p.target, p.taps, p.pad)
    assert it.of_part < it.tiling.count


def test_the_number_of_threads_changes_no_bit() -> None:
    p, found = Problem(CASES[-1]), []
    try:
        for number in (1, 2, 3):
            threads.use(number)
            it, dw = Gradient(p.source, p.target, p.taps, p.pad), np.zeros_like(p.w)
            run(it.bind(blocked(p.x), blocked(p.dy), dw, flat(it.scratch)))
            found.append(convolved(p).tobytes() + dw.tobytes())
    finally:
        threads.use(None)
    assert found[0] == found[1] == found[2]


def test_more_threads_than_it_was_made_for_stay_out_of_its_memory() -> None:
    p = Problem(CASES[-1])
    it = Convolution(p.source, p.target, p.taps, p.pad, 1, derived=True)
    transformed, y = flat(it.filters.size), np.empty_like(blocked(p.dy))
    scratch = flat(it.scratch + 1000)
    run(it.transform(p.w, transformed))
    try:
        threads.use(3)
        run(it.bind(blocked(p.x), y, transformed, scratch))
    finally:
        threads.use(None)
    assert np.isnan(scratch[it.scratch :]).all()
    close(plain(y, len(p.w)), p.forward())


def test_nan_and_infinity_reach_the_top() -> None:
    p = Problem(CASES[4])
    p.x[0, 3, 4, 5] = np.nan
    assert np.isnan(convolved(p, Finish(slope=0.0))).any()


def test_it_pays_where_channels_are_many() -> None:
    wide = Blocked(8, 256, 28, 28)
    assert Convolution(wide, wide, 3, (1, 1), 2, derived=True).cost.pays
    assert Gradient(wide, wide, 3, (1, 1)).cost.pays
    few = Blocked(1, 512, 2, 2)
    assert not Convolution(few, few, 3, (1, 1), 2, derived=True).cost.pays


@pytest.mark.skipif(os.environ.get("BREW_NATIVE") == "avx2", reason="this is the child")
def test_vectors_of_eight() -> None:
    """The same on processors without AVX-512."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__,
         *(str(Path(__file__).with_name(f"test_{what}.py")) for what in ("depthwise", "batch_norm")), "-k", "not eight"],
        env=os.environ | {"BREW_NATIVE": "avx2"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
