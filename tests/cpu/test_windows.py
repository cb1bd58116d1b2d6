from __future__ import annotations

import numpy as np
import pytest

from brew.cpu.pixels.windows import bring

pytestmark = pytest.mark.native
random = np.random.default_rng(0)


def by_numpy(images, windows, mean, scale, out):
    """The same, a step after the other, each rounded."""
    rows, columns = out.shape[2:]
    for image, row, column, mirrored, y in zip(images, *windows, out, strict=True):
        window = np.s_[..., row : row + rows, column : column + columns]
        values = image[window].astype(np.float32)
        if mean is not None:
            values -= mean[window] if mean.shape[1:] != (1, 1) else mean
        y[...] = (values * np.float32(scale))[..., :: -1 if mirrored else 1]


def pictures(channels, height, width, layout, count=4):
    if layout == "planes":
        return random.integers(0, 256, (count, channels, height, width), np.uint8)
    return [random.integers(0, 256, (height, width, channels), np.uint8).transpose(2, 0, 1) for _ in range(count)]


@pytest.mark.parametrize("scale", [1, 0.017, 3e38])
@pytest.mark.parametrize("mean", ["none", "one", "channels", "pixels"])
@pytest.mark.parametrize("sizes", [(40, 33, 20, 17), (16, 16, 16, 16), (60, 70, 31, 64), (20, 99, 1, 95)])
@pytest.mark.parametrize(("channels", "layout"), [(1, "planes"), (3, "planes"), (5, "planes"), (1, "side by side"),
                                                  (3, "side by side"), (4, "side by side")])  # fmt: skip
def test_bit_for_bit_as_numpy(channels, layout, sizes, mean, scale):
    height, width, rows, columns = sizes
    images = pictures(channels, height, width, layout)
    shape = {"one": (1, 1, 1), "channels": (channels, 1, 1), "pixels": (channels, height, width)}.get(mean)
    values = None if shape is None else random.uniform(0, 255, shape).astype(np.float32)
    windows = tuple(random.integers(0, most, 4) for most in (height - rows + 1, width - columns + 1, 2))
    found, expected = (np.full((4, channels, rows, columns), np.nan, np.float32) for _ in range(2))
    assert bring(images, windows, values, scale, found)
    with np.errstate(over="ignore"):
        by_numpy(images, windows, values, scale, expected)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("mean", ["none", "channels", "pixels"])
@pytest.mark.parametrize(("channels", "layout"), [(1, "planes"), (3, "planes"), (3, "side by side")])
def test_whole_images(channels, layout, mean):
    images, nothing = pictures(channels, 9, 21, layout), np.zeros((3, 4), np.int64)
    if layout == "planes":
        images = np.pad(images.reshape(4, -1), ((0, 0), (3, 5)))[:, 3:-5].reshape(images.shape)  # as records lie
    shape = {"channels": (channels, 1, 1), "pixels": (channels, 9, 21)}.get(mean)
    values = None if shape is None else random.uniform(0, 255, shape).astype(np.float32)
    found, expected = (np.full((4, channels, 9, 21), np.nan, np.float32) for _ in range(2))
    assert bring(images, None, values, 0.5, found)
    by_numpy(images, nothing, values, 0.5, expected)
    assert np.array_equal(found, expected)
    assert not bring(images, None, values, 0.5, found[:, :, 1:].copy())


def test_what_it_leaves_to_numpy():
    zeros = tuple(np.zeros(2, np.int64) for _ in range(3))
    good, out = pictures(3, 20, 30, "planes", 2), np.full((2, 3, 20, 30), 7, np.float32)
    turned = good.transpose(0, 1, 3, 2)
    for images, target in [
        (good.astype(np.float32), out),
        (good, out.astype(np.float64)),
        (good[..., ::-1], out),
        (turned, out.transpose(0, 1, 3, 2).copy()),
        ([good[0], good[1, :, :, :29]], out),
        ([good[0], pictures(3, 20, 30, "side by side", 1)[0]], out),
        (pictures(5, 20, 30, "side by side", 2), np.full((2, 5, 20, 30), 7, np.float32)),
        (good[..., :3], np.full((2, 3, 20, 3), 7, np.float32)),
    ]:
        assert not bring(images, zeros, None, 1, target)
        assert (target == 7).all()
