"""Views of images against readings of each pixel by the formula, and what must hold of them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from brew.cpu.pixels import interpolation, resampling
from brew.data.augment import affine
from brew.data.augment.view import View, seen
from brew.proto.brew_pb2 import ResizeParameter

random = np.random.default_rng(0)
FILL = np.array([10, 120, 200], np.uint8)
MODES = {"LINEAR": 1, "AREA": 2, "NEAREST": 3, "CUBIC": 4, "LANCZOS4": 5}
SIZES = [(12, 20, 7, 8), (13, 18, 22, 25), (10, 6, 10, 13), (16, 12, 8, 6), (12, 12, 4, 3), (1, 1, 5, 3), (9, 5, 1, 1)]


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    return random.integers(0, 256, (channels, height, width), np.uint8)


def weights_of(mode: str, at: float) -> tuple[int, list[float]]:
    """The first pixel that a place between pixel centres is made of, and the weights of it and the next ones."""
    first = math.floor(at)
    x = at - first
    if mode == "LINEAR":
        return first, [1 - x, x]
    if mode == "CUBIC":
        a = -0.75

        def cubic(t: float) -> float:
            t = abs(t)
            near = (a + 2) * t**3 - (a + 3) * t**2 + 1
            return near if t <= 1 else a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a

        return first - 1, [cubic(x - i) for i in range(-1, 3)]

    def lanczos(t: float) -> float:
        return 1.0 if t == 0 else 4 * math.sin(math.pi * t) * math.sin(math.pi * t / 4) / (math.pi * t) ** 2

    weights = [lanczos(x - i) for i in range(-3, 5)]
    return first - 3, [weight / sum(weights) for weight in weights]


def axis(mode: str, size: int, target: int, grows: bool) -> np.ndarray:
    """(target, size): what each pixel of the result has of each of the source's, edges repeated."""
    matrix = np.zeros((target, size))
    scale = size / target
    for i in range(target):
        if mode == "NEAREST":
            matrix[i, min(math.floor(i * scale), size - 1)] = 1
        elif mode == "AREA" and not grows:
            for j in range(size):
                matrix[i, j] = max(0.0, min(j + 1, (i + 1) * scale) - max(j, i * scale)) / scale
        elif mode == "AREA":
            first = math.floor(i * scale)
            x = i + 1 - (first + 1) / scale
            x = 0 if x <= 0 or first >= size - 1 else x
            matrix[i, first] += 1 - x
            matrix[i, min(first + 1, size - 1)] += x
        else:
            first, weights = weights_of(mode, (i + 0.5) * scale - 0.5)
            for j, weight in enumerate(weights, first):
                matrix[i, min(max(j, 0), size - 1)] += weight
    return matrix


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("native", [True, False], ids=["native", "numpy"])
def test_every_interpolation_is_what_its_formula_says(mode, sizes, native, monkeypatch):
    if not native:
        monkeypatch.setattr(resampling, "native", lambda: False)
    rows, columns, height, width = sizes
    image = picture(rows, columns)
    grows = height > rows or width > columns
    down, across = axis(mode, rows, height, grows), axis(mode, columns, width, grows)
    expected = np.clip(np.einsum("ij,cjk,lk->cil", down, image.astype(float), across), 0, 255)
    found = seen(image, View((0, 0, rows, columns), (height, width), (0, 0, height, width), MODES[mode]), FILL)
    assert np.abs(found - expected).max() <= (0.5 if mode == "NEAREST" else 1.02)
    assert np.abs(found - expected).mean() < 0.4  # rounding alone


@pytest.mark.parametrize("mode", MODES)
def test_a_window_of_a_canvas_is_cut_out_of_it(mode):
    """Whatever window, crop and mirror: as if the canvas had been made, cut, resized whole, and cut again."""
    rng = np.random.default_rng(MODES[mode])
    for _ in range(60):
        rows, columns = rng.integers(2, 40, 2).tolist()
        image = picture(rows, columns)
        top, left, more_rows, more_columns = rng.integers(0, 25, 4).tolist()
        canvas = np.empty((3, top + rows + more_rows, left + columns + more_columns), np.uint8)
        canvas[...] = FILL[:, None, None]
        canvas[:, top : top + rows, left : left + columns] = image
        (low, high), (first, last) = (sorted(rng.choice(n + 1, 2, replace=False).tolist()) for n in canvas.shape[1:])
        if high <= top or low >= top + rows or last <= left or first >= left + columns:
            continue  # nothing but the fill: the next test
        height, width = rng.integers(1, 50, 2).tolist()
        row, column = int(rng.integers(height)), int(rng.integers(width))
        crop = row, column, int(rng.integers(1, height - row + 1)), int(rng.integers(1, width - column + 1))
        mirrored, flipped = (bool(coin) for coin in rng.integers(0, 2, 2))
        part = np.ascontiguousarray(canvas[:, low:high, first:last])
        plain = View((0, 0, high - low, last - first), (height, width), (0, 0, height, width), MODES[mode])
        expected = seen(part, plain, FILL)[:, row : row + crop[2], column : column + crop[3]]
        expected = expected[:, :: -1 if flipped else 1, :: -1 if mirrored else 1]
        window = low - top, first - left, high - top, last - left
        view = View(window, (height, width), crop, MODES[mode], mirrored=mirrored, flipped=flipped)
        assert np.array_equal(seen(image, view, FILL), expected), view


def test_where_nothing_of_the_image_is_seen_there_is_the_fill():
    for window in ((-9, 0, -1, 8), (3, 20, 9, 30), (8, 2, 10, 4)):
        for size in ((4, 4), (window[2] - window[0], window[3] - window[1])):
            found = seen(picture(8, 8), View(window, size, (0, 0, *size)), FILL)
            assert (found == FILL[:, None, None]).all()


def test_the_whole_is_the_image_and_mirrors_undo_themselves():
    image = picture(7, 9)
    whole = View.whole(7, 9)
    assert np.array_equal(seen(image, whole, FILL), image)
    for mirrored, flipped in ((True, False), (False, True), (True, True)):
        view = replace(whole, mirrored=mirrored, flipped=flipped)
        once = seen(image, view, FILL)
        assert not np.array_equal(once, image)
        assert np.array_equal(seen(np.ascontiguousarray(once), view, FILL), image)


@pytest.mark.parametrize("mode", [ResizeParameter.CONSTANT, ResizeParameter.MIRRORED, ResizeParameter.REPEAT_NEAREST])
@pytest.mark.parametrize("crop", [(0, 0, 11, 12), (2, 3, 5, 6), (0, 9, 3, 3)], ids=str)
def test_borders(mode, crop):
    image, border = picture(10, 14), (3, 2, 3, 3)
    view = View((0, 0, 10, 14), (5, 7), crop, border=border, border_mode=mode, padding=(7.0,), mirrored=True)
    small = seen(image, View((0, 0, 10, 14), (5, 7), (0, 0, 5, 7)), FILL)
    how = {ResizeParameter.CONSTANT: {"mode": "constant", "constant_values": 7},
           ResizeParameter.MIRRORED: {"mode": "reflect"}, ResizeParameter.REPEAT_NEAREST: {"mode": "edge"}}[mode]  # fmt: skip
    framed = np.pad(small, ((0, 0), (3, 3), (2, 3)), **how)
    expected = framed[:, crop[0] : crop[0] + crop[2], crop[1] : crop[1] + crop[3]][..., ::-1]
    assert np.array_equal(seen(image, view, FILL), expected)


def marked(height: int, width: int, row: int, column: int) -> np.ndarray:
    """Black, with a bright block of 9 x 9 about a pixel."""
    image = np.zeros((1, height, width), np.uint8)
    image[:, row - 4 : row + 5, column - 4 : column + 5] = 255
    return image


def centre(image: np.ndarray) -> np.ndarray:
    """x and y of what is bright, pixels' middles at half."""
    mass = image[0].astype(float)
    y, x = np.mgrid[: image.shape[1], : image.shape[2]] + 0.5
    return np.array([(x * mass).sum(), (y * mass).sum()]) / mass.sum()


def test_points_go_where_pixels_go():
    rng = np.random.default_rng(1)
    image = marked(60, 80, 25, 50)
    for _ in range(40):
        mirrored, flipped = (bool(coin) for coin in rng.integers(0, 2, 2))
        top, left = rng.integers(-20, 15, 2).tolist()
        view = View(
            (top, left, top + 70, left + 90), (50, 100), (3, 5, 45, 90), mirrored=mirrored, flipped=flipped,
            border=(2, 3, 0, 0),
        )  # fmt: skip
        found = seen(image, view, np.zeros(1, np.uint8))
        assert np.abs(centre(found) - view.points(np.array([[50.5, 25.5]]))[0]).max() < 0.2


def test_warps_read_each_pixel_between_four():
    image = picture(9, 12)
    for mode, pad in (("CONSTANT", None), ("REPEAT_NEAREST", "edge"), ("MIRRORED", "reflect")):
        mapping = affine.about_the_middle(9, 12, turn=0.4, move=(1.5, -2.0), scale=1.3, shear=(0.1, -0.2))
        found = affine.mapped(image, mapping, FILL, ResizeParameter.Pad_mode.Value(mode))
        reach = 8 if pad == "reflect" else 30
        around = np.stack([
            np.pad(plane, reach, mode=pad) if pad else np.pad(plane, reach, constant_values=int(value))
            for plane, value in zip(image, FILL, strict=True)
        ]).astype(float)  # fmt: skip
        back = affine.inverse(mapping)
        for y in range(9):
            for x in range(12):
                u, v = back @ np.array([x + 0.5, y + 0.5, 1]) - 0.5 + reach
                i, j = math.floor(v), math.floor(u)
                if not (0 <= i < around.shape[1] - 1 and 0 <= j < around.shape[2] - 1):
                    continue
                a, b = v - i, u - j
                square = around[:, i : i + 2, j : j + 2]
                upper, lower = (square[:, k, 0] * (1 - b) + square[:, k, 1] * b for k in range(2))
                assert np.abs(found[:, y, x] - (upper * (1 - a) + lower * a)).max() < 0.51


def test_no_map_is_the_image_and_points_follow_a_map():
    image = marked(60, 80, 25, 50)
    fill = np.zeros(1, np.uint8)
    assert np.array_equal(affine.mapped(image, affine.about_the_middle(60, 80), fill), image)
    turned = affine.about_the_middle(60, 80, turn=math.radians(90))
    assert np.allclose(affine.moved(np.array([[80.0, 30.0]]), turned), [[40.0, 70.0]])  # clockwise: right goes down
    mapping = affine.about_the_middle(60, 80, turn=0.3, move=(5, -4), scale=1.2, shear=(0.1, 0.05))
    expected = affine.moved(np.array([[50.5, 25.5]]), mapping)[0]
    assert np.abs(centre(affine.mapped(image, mapping, fill)) - expected).max() < 0.2


def test_masks_are_read_at_the_nearest_pixel():
    mask = random.integers(0, 21, (1, 9, 12), np.uint8)
    ignored = np.array([255], np.uint8)
    mapping = affine.about_the_middle(9, 12, turn=0.5, scale=1.2, move=(2, 1))
    back = affine.inverse(mapping)
    for mode in ("CONSTANT", "REPEAT_NEAREST", "MIRRORED"):
        found = affine.mapped_mask(mask, mapping, ignored, ResizeParameter.Pad_mode.Value(mode))
        for y in range(9):
            for x in range(12):
                u, v = (math.floor(n) for n in back @ np.array([x + 0.5, y + 0.5, 1]))
                if mode == "MIRRORED":
                    u, v = (abs(n) if n < size else 2 * (size - 1) - n for n, size in ((u, 12), (v, 9)))
                elif mode == "REPEAT_NEAREST":
                    u, v = min(max(u, 0), 11), min(max(v, 0), 8)
                inside = 0 <= u < 12 and 0 <= v < 9
                assert found[0, y, x] == (mask[0, v, u] if inside else 255)
    view = View((0, 0, 9, 12), (20, 17), (0, 0, 20, 17), interpolation.MIDDLE)
    rows, columns = ((np.arange(n) + 0.5) * size // n for n, size in ((20, 9), (17, 12)))
    expected = mask[:, rows.astype(int)][:, :, columns.astype(int)]
    assert np.array_equal(seen(mask, view, ignored), expected)
