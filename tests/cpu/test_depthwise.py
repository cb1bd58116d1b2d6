"""Depthwise convolutions in code of our own, against sums in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from native_blobs import blocked, close, flat, plain, run

from brew.cpu import threads
from brew.cpu.native import blocked as blobs
from brew.cpu.native.blocked import Blocked
from brew.cpu.native.depthwise import TAPS, Depthwise
from brew.cpu.native.winograd import Finish

pytestmark = pytest.mark.native

# images, channels, height, width, stride, padding above and on the left; blocks whole and not, rows without a column
# inside, columns left over from those computed at once, units of several images and of bands of rows
CASES = [
    (1, 1, 1, 1, 1, (1, 1)),
    (2, 7, 2, 1, 2, (1, 1)),
    (1, 5, 3, 3, 1, (1, 1)),
    (1, 3, 3, 3, 2, (0, 0)),
    (2, 16, 4, 3, 2, (2, 2)),
    (3, 20, 7, 11, 1, (0, 2)),
    (2, 33, 8, 13, 2, (0, 1)),
    (50, 32, 7, 7, 1, (1, 1)),
    (2, 16, 14, 14, 1, (1, 1)),
    (1, 16, 40, 60, 1, (1, 1)),
    (2, 17, 61, 57, 2, (1, 1)),
]


class Problem:
    """A convolution with random numbers, and its results in float64."""

    def __init__(self, case: tuple[int, int, int, int, int, tuple[int, int]]) -> None:
        n, c, h, w, self.stride, self.pad = case
        random = np.random.default_rng(n + c + h + w)
        down, across = ((size + 2 * p - TAPS) // self.stride + 1 for size, p in zip((h, w), self.pad, strict=True))
        self.x = random.standard_normal((n, c, h, w)).astype(np.float32)
        self.w = random.standard_normal((c, 1, TAPS, TAPS)).astype(np.float32)
        self.b = random.standard_normal(c).astype(np.float32)
        self.dy = random.standard_normal((n, c, down, across)).astype(np.float32)
        self.it = Depthwise(Blocked(n, c, h, w), Blocked(n, c, down, across), self.stride, self.pad)

    def padded(self) -> np.ndarray:
        return np.pad(self.x.astype(np.float64), ((0, 0), (0, 0), *[(p, p) for p in self.pad]))

    def taps(self) -> list[tuple[int, int, tuple[slice, ...]]]:
        """Row and column of each tap, and what of the padded bottom it meets."""
        down, across = (1 + self.stride * (size - 1) for size in self.dy.shape[2:])
        return [
            (i, j, np.s_[:, :, i : i + down : self.stride, j : j + across : self.stride])
            for i, j in itertools.product(range(TAPS), repeat=2)
        ]

    def forward(self) -> np.ndarray:
        padded = self.padded()
        return sum((padded[where] * self.w[:, 0, i, j, None, None] for i, j, where in self.taps()), np.float64(0))

    def data(self) -> np.ndarray:
        padded = np.zeros_like(self.padded())
        for i, j, where in self.taps():
            padded[where] += self.dy * self.w[:, 0, i, j, None, None]
        (top, left), (height, width) = self.pad, self.x.shape[2:]
        return padded[:, :, top : top + height, left : left + width]

    def filters(self) -> np.ndarray:
        padded, found = self.padded(), np.zeros(self.w.shape)
        for i, j, where in self.taps():
            found[:, 0, i, j] = (padded[where] * self.dy).sum(axis=(0, 2, 3))
        return found

    def bias(self) -> np.ndarray:
        return self.dy.sum(axis=(0, 2, 3), dtype=np.float64)


def unwritten(like: np.ndarray) -> np.ndarray:
    found = blocked(like)
    found[...] = np.nan
    return found


@pytest.fixture(params=[1, 1 << 40], ids=["past the caches", "into the caches"], autouse=True)
def stores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "_LARGE", request.param)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_forward(case: tuple) -> None:
    p = Problem(case)
    y = unwritten(p.dy)
    run(p.it.forward(blocked(p.x), y, p.w))
    close(plain(y, len(p.w)), p.forward())


@pytest.mark.parametrize("case", CASES[1:9], ids=str)
def test_forward_with_bias_another_blob_and_relu(case: tuple) -> None:
    p = Problem(case)
    y = unwritten(p.dy)
    run(p.it.forward(blocked(p.x), y, p.w, Finish(p.b, blocked(p.dy), 0.25)))
    linear = p.forward() + p.b[:, None, None] + p.dy
    close(plain(y, len(p.w)), np.where(linear > 0, linear, 0.25 * linear))


@pytest.mark.parametrize("wanted", list(itertools.product([True, False], repeat=3))[:-1], ids=str)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients(case: tuple, wanted: tuple[bool, bool, bool]) -> None:
    """That of the bottom is written, those of filters and bias are added; each may be left out."""
    p = Problem(case)
    data, filters, bias = wanted
    dx, dw, db = unwritten(p.x), np.ones_like(p.w), np.ones_like(p.b)
    scratch = flat(p.it.scratch)
    gradients = (dx if data else None, dw if filters else None, db if bias else None)
    run(p.it.backward(blocked(p.x), blocked(p.dy), p.w, scratch, *gradients))
    if data:
        close(plain(dx, len(p.w)), p.data())
    if filters:
        close(dw - 1, p.filters(), 3e-5)  # long sums of what nearly cancels out
    if bias:
        close(db - 1, p.bias(), 3e-5)


def test_the_number_of_threads_changes_no_bit() -> None:
    p, found = Problem(CASES[-1]), []
    try:
        for number in (1, 2, 3):
            threads.use(number)
            y, dx, dw = unwritten(p.dy), unwritten(p.x), np.zeros_like(p.w)
            run(p.it.forward(blocked(p.x), y, p.w))
            run(p.it.backward(blocked(p.x), blocked(p.dy), p.w, flat(p.it.scratch), dx, dw))
            found.append(y.tobytes() + dx.tobytes() + dw.tobytes())
    finally:
        threads.use(None)
    assert found[0] == found[1] == found[2]


def test_memory_that_no_vector_begins_is_written_through_the_caches() -> None:
    p = Problem(CASES[-1])
    place = flat(blocked(p.dy).size + 17)
    y = place[1 + (-place.ctypes.data % 64) // 4 :][: blocked(p.dy).size].reshape(blocked(p.dy).shape)
    run(p.it.forward(blocked(p.x), y, p.w))
    close(plain(y, len(p.w)), p.forward())
