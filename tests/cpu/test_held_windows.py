"""Windows held as bytes become the numbers that NumPy would make of them, whatever layout they are held in."""

from __future__ import annotations

import numpy as np
import pytest

from brew.cpu.pixels.held import HeldWindows, can_hold, layout
from brew.cpu.pixels.windows import WindowCopy

pytestmark = pytest.mark.native
random = np.random.default_rng(0)
HEIGHT, WIDTH, COUNT = 40, 37, 5


def expected(images, windows, size, mean, scale):
    found = []
    for image, row, column, mirrored in zip(images, *windows, strict=True):
        part = np.s_[..., row : row + size[0], column : column + size[1]]
        values = image[part].astype(np.float32)
        if mean is not None:
            values -= mean[part] if mean.shape[1:] != (1, 1) else mean
        found.append((values * np.float32(scale))[..., :: -1 if mirrored else 1])
    return np.stack(found)


def picture(channels, order):
    planes = random.integers(0, 256, (channels, HEIGHT, WIDTH), np.uint8)
    return {
        "planes": planes,
        "pixels": np.ascontiguousarray(planes.transpose(1, 2, 0)).transpose(2, 0, 1),
        "columns": np.asfortranarray(planes),
        "turned": planes[:, ::-1, ::-1],
    }[order]


def drawn(size):
    return tuple(random.integers(0, most, COUNT) for most in (HEIGHT - size[0] + 1, WIDTH - size[1] + 1, 2))


def mean_of(kind, channels):
    shape = {"one": (1, 1, 1), "channels": (channels, 1, 1), "pixels": (channels, HEIGHT, WIDTH)}.get(kind)
    return None if shape is None else random.uniform(0, 255, shape).astype(np.float32)


@pytest.mark.parametrize("mean", ["none", "one", "channels", "pixels"])
@pytest.mark.parametrize("held_in", ["planes", "pixels"])
@pytest.mark.parametrize("order", ["planes", "pixels", "columns", "turned"])
@pytest.mark.parametrize(("channels", "size"), [(3, (20, 17)), (4, (40, 37)), (3, (9, 37)), (1, (40, 16))])
def test_bit_for_bit_as_numpy(channels, size, order, held_in, mean):
    if channels == 1 and held_in == "pixels":
        held_in = "planes"
    values, windows = mean_of(mean, channels), drawn(size)
    held = HeldWindows(WindowCopy(values, 0.5))
    images = [picture(channels, order) for _ in range(COUNT)]
    wanted = expected(images, windows, size, values, 0.5)
    for _ in range(2):  # memory of the batch before is used again
        held.take((COUNT, channels, *size), held_in)
        for number in random.permutation(COUNT).tolist():
            row, column, mirrored = (int(w[number]) for w in windows)
            held.put(number, images[number], (row, column, bool(mirrored)))
        out = np.full((COUNT, channels, *size), np.nan, np.float32)
        held.write(out)
        assert held.shape == out.shape and np.array_equal(out, wanted)
    assert np.array_equal(held.numbers(), wanted)
    wide = np.full(out.shape, np.nan, np.float64)
    held.write(wide)
    assert np.array_equal(wide, wanted)


@pytest.mark.parametrize("mean", ["none", "channels", "pixels"])
@pytest.mark.parametrize("size", [None, (20, 17), (30, 37)])
def test_a_batch_that_is_referred_to(size, mean):
    records = random.integers(0, 256, (COUNT, 7 + 3 * HEIGHT * WIDTH), np.uint8)  # with bytes between images
    images = records[:, 7:].reshape(COUNT, 3, HEIGHT, WIDTH)
    values, windows = mean_of(mean, 3), None if size is None else drawn(size)
    held = HeldWindows(WindowCopy(values, 1))
    held.refer(images, windows, size or (HEIGHT, WIDTH))
    nothing = np.zeros((3, COUNT), np.int64)
    assert np.array_equal(
        held.numbers(), expected(images, windows or nothing, size or (HEIGHT, WIDTH), values, 1)
    )  # fmt: skip


def test_memory_grows_and_never_shrinks():
    held = HeldWindows(WindowCopy(None, 1))
    held.take((4, 3, 20, 20), "planes")
    first = held._storage
    held.take((2, 3, 20, 20), "pixels")
    assert held._storage is first
    held.take((5, 3, 20, 20), "planes")
    assert held._storage.size == 5 * 3 * 20 * 20


@pytest.mark.parametrize("window", [(-1, 0), (0, -1), (21, 0), (0, 21)])
def test_a_window_outside_of_its_image_is_an_error(window):
    held = HeldWindows(WindowCopy(None, 1))
    held.take((2, 3, 20, 17), "pixels")
    with pytest.raises(ValueError, match="window"):
        held.put(0, picture(3, "planes"), (*window, False))
    with pytest.raises(ValueError, match="window"):
        held.put(0, picture(4, "planes"), (0, 0, False))


def test_what_is_held_and_how():
    assert can_hold(np.uint8, 37) and not can_hold(np.float32, 37) and not can_hold(np.uint8, 3)
    assert [layout(picture(3, order)) for order in ("planes", "pixels", "columns")] == ["planes", "pixels", "planes"]
    assert layout(picture(1, "pixels")) == layout(picture(5, "pixels")) == "planes"
