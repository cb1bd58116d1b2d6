from __future__ import annotations

import numpy as np
import pytest

from brew.cpu.pixels.windows import WindowCopy

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
    copy = WindowCopy(values, scale)
    assert copy.code(images[0], found[0])
    copy(images, windows, found)
    with np.errstate(over="ignore"):
        by_numpy(images, windows, values, scale, expected)
    assert np.array_equal(found, expected)
    found[...] = np.nan
    for image, row, column, mirrored, out in zip(images, *(w.tolist() for w in windows), found, strict=True):
        copy.one(image, (row, column, bool(mirrored)), out)
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
    copy = WindowCopy(values, 0.5)
    assert copy.code(images[0], found[0])
    copy(images, None, found)
    by_numpy(images, nothing, values, 0.5, expected)
    assert np.array_equal(found, expected)


def left_to_numpy():
    good = pictures(3, 20, 30, "planes", 2)
    for images, rows, columns, dtype in [
        (good.astype(np.float32), 18, 29, np.float32),
        (good, 18, 29, np.float64),
        (good[..., ::-1], 20, 30, np.float32),
        (good.transpose(0, 1, 3, 2), 25, 16, np.float32),
        ([good[0], good[1, :, :, :29]], 18, 29, np.float32),
        ([good[0], pictures(3, 20, 30, "side by side", 1)[0]], 18, 29, np.float32),
        (pictures(5, 20, 30, "side by side", 2), 18, 29, np.float32),
        (good[..., :5], 20, 3, np.float32),
    ]:
        spare = images[1].shape[1] - rows + 1, images[1].shape[2] - columns + 1
        yield images, tuple(random.integers(0, most, 2) for most in (*spare, 2)), (2, 3, rows, columns), dtype
    yield good.astype(np.float32), tuple(np.array([n, n]) for n in (1, 1, 1)), (2, 3, 18, 29), np.float32  # alike


@pytest.mark.parametrize("mean", ["none", "channels"])
@pytest.mark.parametrize("number", range(9))
def test_what_it_leaves_to_numpy(number, mean):
    images, windows, shape, dtype = list(left_to_numpy())[number]
    shape = (2, len(images[0]), *shape[2:])
    values = random.uniform(0, 255, (shape[1], 1, 1)).astype(np.float32) if mean == "channels" else None
    found, expected = (np.full(shape, np.nan, dtype) for _ in range(2))
    copy = WindowCopy(values, 0.5)
    copy(images, windows, found)
    by_numpy(images, windows, values, 0.5, expected)
    assert np.array_equal(found, expected)
    found[...] = np.nan
    for image, row, column, mirrored, out in zip(images, *(w.tolist() for w in windows), found, strict=True):
        copy.one(image, (row, column, bool(mirrored)), out)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("window", [(-1, 0), (0, -1), (5, 0), (0, 9)])
def test_a_window_outside_of_its_image_is_an_error(window):
    images, out = pictures(3, 20, 30, "side by side", 2), np.full((2, 3, 16, 22), 7, np.float32)
    copy, both = WindowCopy(None, 1), tuple(np.array([0, number]) for number in (*window, 0))
    with pytest.raises(ValueError, match="window"):
        copy.one(images[0], (*window, False), out[0])
    with pytest.raises(ValueError, match="window"):
        copy(images, both, out)
    with pytest.raises(ValueError, match="window"):
        copy.one(images[0][:1], (0, 0, False), out[0])
    with pytest.raises(ValueError, match="window"):
        copy([image[:1] for image in images], None, out)
    assert (out == 7).all()
