"""Machine code over pixels gives the numbers of NumPy, bit for bit, for every size and layout."""

from __future__ import annotations

import numpy as np
import pytest

from brew.cpu.pixels import colours, resampling, warping
from brew.cpu.pixels.colours import Mixed, Scaled, Turned
from brew.cpu.pixels.resampling import Across, Down

pytestmark = pytest.mark.native
random = np.random.default_rng(0)
STAGES = [
    Scaled((1.2, 0.7, 1.0), (-9.5, 20.0, 0.25)), Turned(0.7, 1.4), Turned(5.9, 0.3),
    Mixed((0.5, 0.3, 0.2, 0.1, 0.8, 0.4, -0.2, 0.1, 1.3), (3.0, -4.0, 0.5)),
]  # fmt: skip


def both(module, monkeypatch, call, shape):
    """What machine code and what NumPy writes, in a window of something larger that stays as it is."""
    results = []
    for native in (True, False):
        with monkeypatch.context() as patch:
            if not native:
                patch.setattr(module, "native", lambda: False)
            large = np.full((shape[0], shape[1] + 2, shape[2] + 5), 77, np.uint8)
            call(large[:, 1:-1, 3:-2])
            edges = large.copy()
            edges[:, 1:-1, 3:-2] = 77
            assert (edges == 77).all()
            results.append(large[:, 1:-1, 3:-2].copy())
    return results


def pictures(channels, height, width, layout):
    """Noise, with greys, saturated and dark parts."""
    image = random.integers(0, 256, (height, width, channels), np.uint8)
    image[:, : width // 4] = image[:, : width // 4, :1]
    image[: height // 4] //= 16
    image[height // 2 :, width // 2 :, 0] = 0
    return image.transpose(2, 0, 1) if layout == "side by side" else np.ascontiguousarray(image.transpose(2, 0, 1))


@pytest.mark.parametrize("stages", [STAGES[:0], *([stage] for stage in STAGES), STAGES], ids=str)
@pytest.mark.parametrize("size", [(5, 40), (7, 17), (3, 16), (2, 1)], ids=str)
@pytest.mark.parametrize(("channels", "layout"), [(3, "planes"), (3, "side by side"), (4, "side by side")])
def test_colours(channels, layout, size, stages, monkeypatch):
    image = pictures(channels, *size, layout)[:3]
    order = (2, 0, 1)
    found, expected = both(colours, monkeypatch, lambda out: colours.coloured(image, stages, out, order), (3, *size))
    assert np.array_equal(found, expected)
    if not stages:
        assert np.array_equal(found, image[list(order)])


@pytest.mark.parametrize("kind", ["pair", "fours", "eights", "floats", "mixed"])
@pytest.mark.parametrize("size", [(9, 30, 12, 33), (20, 40, 3, 5), (4, 16, 16, 16), (2, 9, 1, 1)], ids=str)
def test_resampled(kind, size, monkeypatch):
    rows, columns, height, width = size
    taps = {"pair": 2, "fours": 4, "eights": 8, "floats": 3, "mixed": 4}[kind]
    memory = random.integers(0, 256, 3 * rows * (columns + 2) + resampling.SLACK, np.uint8)
    source = memory[: 3 * rows * (columns + 2)].reshape(3, rows, columns + 2)[:, :, :columns]
    starts = random.integers(0, columns - taps + 1, width).astype(np.int32)
    place = random.integers(0, rows, (taps, height))
    weights, shares = random.integers(-900, 1400, (taps, width)), random.integers(-900, 1400, (taps, height))
    across = Across(starts, weights.astype(np.int32), 4 if kind == "pair" else 0)
    down = Down(place, shares.astype(np.int32), *((16, 2, 2) if kind == "pair" else (0, 1 << 21, 22)))
    if kind == "floats":
        across = Across(starts, random.random((taps, width), np.float32))
        down = Down(place, random.random((taps, height), np.float32), gain=0.7)
    elif kind == "mixed":
        down = Down(place, (shares / 2**22).astype(np.float32))
    shape = (3, height, width)
    found, expected = both(resampling, monkeypatch, lambda out: resampling.resampled(source, across, down, out), shape)
    assert np.array_equal(found, expected)
    assert len(np.unique(found)) > 1 or found.size == 3


@pytest.mark.parametrize("size", [(9, 30), (20, 17), (5, 16), (1, 1)], ids=str)
def test_warped(size, monkeypatch):
    rows, columns = size
    shape = 3, rows + warping.BEFORE + warping.BEHIND, columns + warping.BEFORE + warping.BEHIND
    memory = random.integers(0, 256, int(np.prod(shape)) + warping.SLACK, np.uint8)
    source = memory[: int(np.prod(shape))].reshape(shape)
    for limits in ((-1.0, columns, -1.0, rows), (0.0, columns - 1, 0.0, rows - 1)):
        matrix = np.array([[0.9, 0.31, -2.2], [-0.27, 1.2, 0.8]], np.float32)
        found, expected = both(
            warping, monkeypatch, lambda out, m=matrix, at=limits: warping.warped(source, m, at, out), (3, 11, 23)
        )
        assert np.array_equal(found, expected)
