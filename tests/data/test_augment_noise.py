"""What befalls pictures late: SSD's noise, blurs, JPEG, erased parts; against readings by the formula."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from brew.data.augment import blur, colour_spaces, erase, jpeg, noise, tables
from brew.data.augment.draws import Draws
from brew.proto.brew_pb2 import BlurParameter, EraseParameter, JpegParameter, NoiseParameter, SaltPepperParameter

random = np.random.default_rng(0)
IMAGE = random.integers(0, 256, (3, 21, 26), np.uint8)
IMAGE[:, 3:9, 4:12] = IMAGE[:1, 3:9, 4:12]


def noisy(record: int = 0, image: np.ndarray = IMAGE, **fields) -> np.ndarray:
    return noise.applied(NoiseParameter(prob=1, **fields), Draws(1, "d", record), image)


def mirrored(n: int, size: int) -> int:
    n = abs(n)
    return n if n < size else 2 * (size - 1) - n


@pytest.mark.parametrize(("sigma", "reach"), [(1.5, 3), (0.8, None), (2.2, None)])
def test_a_blur_is_a_sum_of_neighbours(sigma, reach):
    found = blur.blurred(IMAGE, sigma, reach)
    reach = reach or math.ceil(3 * sigma)
    weights = [math.exp(-i * i / (2 * sigma**2)) for i in range(-reach, reach + 1)]
    total = sum(weights)
    for y, x in ((0, 0), (10, 13), (20, 25), (3, 24)):
        expected = sum(
            a * b * IMAGE[:, mirrored(y + i, 21), mirrored(x + j, 26)].astype(float)
            for i, a in zip(range(-reach, reach + 1), weights, strict=True)
            for j, b in zip(range(-reach, reach + 1), weights, strict=True)
        ) / total**2  # fmt: skip
        assert np.abs(found[:, y, x] - expected).max() < 0.51


def test_blurs_of_almost_nothing_and_of_small_images():
    assert np.array_equal(blur.blurred(IMAGE, 0.05), IMAGE)
    small = IMAGE[:, :2, :1]
    assert blur.blurred(np.full_like(small, 77), 3.0).tolist() == np.full_like(small, 77).tolist()
    sigmas = [blur.drawn(BlurParameter(prob=0.5, sigma_lower=1, sigma_upper=2), Draws(1, "d", i).of("blur"))
              for i in range(2000)]  # fmt: skip
    acted = [s for s in sigmas if s]
    assert abs(len(acted) / 2000 - 0.5) < 0.04 and 1 <= min(acted) < 1.01 and 1.99 < max(acted) < 2


def test_nothing_without_probability():
    param = NoiseParameter(inverse=True)
    assert noise.applied(param, Draws(1, "d", 0), IMAGE) is IMAGE
    half = NoiseParameter(inverse=True, prob=0.5)
    acted = [noise.applied(half, Draws(1, "d", i), IMAGE) is not IMAGE for i in range(1000)]
    assert abs(np.mean(acted) - 0.5) < 0.05


def test_what_each_pixel_becomes_by_itself():
    assert np.array_equal(noisy(inverse=True), 255 - IMAGE)
    assert np.array_equal(noisy(posterize=True), IMAGE // 64 * 64 + 32)
    blue, green, red = IMAGE.astype(float)
    grey = 0.114 * blue + 0.587 * green + 0.299 * red
    found = noisy(decolorize=True)
    assert (found == found[:1]).all() and np.abs(found[0] - grey).max() < 0.51


def test_eroded_is_the_least_of_five():
    found = noisy(erode=True)
    for y, x in ((0, 0), (10, 10), (20, 3), (7, 25)):
        around = [(y, x), *((y + i, x + j) for i, j in ((1, 0), (-1, 0), (0, 1), (0, -1)))]
        inside = [(i, j) for i, j in around if 0 <= i < 21 and 0 <= j < 26]
        assert found[:, y, x].tolist() == [min(int(IMAGE[c, i, j]) for i, j in inside) for c in range(3)]


def equalized(values: list[int]) -> list[int]:
    """OpenCV's equalizeHist: levels by the share of pixels between the darkest and them."""
    first = min(values)
    darkest = values.count(first)
    if darkest == len(values):
        return values
    return [round((sum(v <= value for v in values) - darkest) * 255 / (len(values) - darkest)) for value in values]


def test_equalized():
    for plane in (IMAGE[0, :5, :6], np.full((3, 4), 9, np.uint8), np.array([[5, 5, 200]], np.uint8)):
        expected = np.array(equalized(plane.ravel().tolist())).reshape(plane.shape)
        assert np.abs(tables.equalized(plane).astype(int) - expected).max() <= (1 if plane.size > 12 else 0)
    found = noisy(hist_eq=True)
    luma = colour_spaces.luma(found).astype(float)
    assert abs(luma.mean() - colour_spaces.luma(IMAGE).mean()) < 40 and luma.std() > colour_spaces.luma(IMAGE).std()


def test_tiled_equalisation_of_a_tile_has_its_own_table():
    plane = random.integers(90, 130, (64, 48), np.uint8)
    found = tables.tiled_equalized(plane, limit=1000.0)
    tile = plane[8:16, 6:12]
    # The middle of a tile takes its table alone, and without a limit that is the share of darker and equal pixels.
    y, x = 8 + 4, 6 + 3
    around = found[y - 1 : y + 1, x - 1 : x + 1].astype(float)
    shares = np.array([[(tile <= plane[y - i, x - j]).mean() * 255 for j in (1, 0)] for i in (1, 0)])
    assert np.abs(around - shares).max() < 90  # blended with its neighbours by an eighth
    flat = tables.tiled_equalized(np.full((40, 40), 100, np.uint8))
    assert len(np.unique(flat)) == 1
    assert found.std() > 3 * plane.std()
    limited = tables.tiled_equalized(plane, limit=1.0)
    assert limited.std() < found.std()  # the limit keeps slopes low


def test_colour_spaces():
    image = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [10, 128, 200]], np.uint8)
    pixels = image.T.reshape(3, 1, 6).copy()
    hsv = colour_spaces.to_hsv(pixels)[:, 0].T.tolist()
    assert hsv[:5] == [[120, 255, 255], [60, 255, 255], [0, 255, 255], [0, 0, 255], [0, 0, 0]]
    assert hsv[5] == [round(60 * (128 - 10) / 190 / 2), round(255 * 190 / 200), 200]
    lab = colour_spaces.to_lab(pixels)[:, 0].T.tolist()
    assert lab[:5] == [[82, 207, 20], [224, 42, 211], [136, 208, 195], [255, 128, 128], [0, 128, 128]]
    back = colour_spaces.from_ycrcb(colour_spaces.to_ycrcb(IMAGE))
    assert np.abs(back.astype(int) - IMAGE).max() <= 3  # but for what leaves the range
    assert np.array_equal(noisy(convert_to_hsv=True), colour_spaces.to_hsv(IMAGE))
    assert np.array_equal(noisy(convert_to_lab=True), colour_spaces.to_lab(IMAGE))


def test_salt_and_pepper():
    param = SaltPepperParameter(fraction=0.1, value=[1, 2, 3])
    found = noisy(saltpepper=True, saltpepper_param=param)
    changed = (found == np.array([1, 2, 3])[:, None, None]).all(0)
    assert 40 < changed.sum() <= math.floor(0.1 * 21 * 26)
    assert np.array_equal(found[:, ~changed], IMAGE[:, ~changed])
    assert not np.array_equal(found, noisy(1, saltpepper=True, saltpepper_param=param))
    one = noisy(saltpepper=True, saltpepper_param=SaltPepperParameter(fraction=0.1))
    assert (one == 0).all(0).sum() > 40


def test_jpeg_is_what_pillow_makes_of_it():
    for image in (IMAGE, IMAGE[:1]):
        found = jpeg.compressed(image, 30)
        file = io.BytesIO()
        pixels = image[::-1].transpose(1, 2, 0) if len(image) == 3 else image[0]
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=30)
        expected = np.asarray(Image.open(file))
        assert np.array_equal(found, expected.transpose(2, 0, 1)[::-1] if len(image) == 3 else expected[None])
    qualities = {jpeg.drawn(JpegParameter(prob=0.5, quality_lower=40, quality_upper=42), Draws(1, "d", i).of("jpeg"))
                 for i in range(100)}  # fmt: skip
    assert qualities == {0, 40, 41, 42}
    alpha = np.concatenate([IMAGE, IMAGE[:1]])
    assert np.array_equal(jpeg.compressed(alpha, 20)[3], IMAGE[0])
    assert np.abs(noisy(jpeg=95).astype(int) - IMAGE).mean() < np.abs(noisy(jpeg=5).astype(int) - IMAGE).mean()


# --- erased parts -----------------------------------------------------------------------------------------------------


def test_rectangles_have_the_areas_and_aspects_asked_for():
    param = EraseParameter(prob=1, area_lower=0.1, area_upper=0.3, aspect_lower=0.5, aspect_upper=2)
    areas, aspects, tops = [], [], []
    for record in range(2000):
        [(top, left, bottom, right)] = erase.drawn(param, Draws(1, "d", record).of("erase"), 400, 600)
        assert 0 <= top < bottom <= 400 and 0 <= left < right <= 600
        areas.append((bottom - top) * (right - left) / 240_000)
        aspects.append((right - left) / (bottom - top))
        tops.append(top)
    assert 0.099 < min(areas) < 0.102 and 0.297 < max(areas) < 0.302 and abs(np.mean(areas) - 0.2) < 0.005
    assert 0.49 < min(aspects) < 0.52 and 1.93 < max(aspects) < 2.02 and abs(np.median(aspects) - 1) < 0.05
    assert min(tops) == 0 and max(tops) > 200


def test_cutout_is_a_square_about_any_pixel():
    param = EraseParameter(prob=1, size=7)
    found = [next(iter(erase.drawn(param, Draws(1, "d", i).of("erase"), 30, 40))) for i in range(3000)]
    sides = {(bottom - top, right - left) for top, left, bottom, right in found}
    assert (7, 7) in sides and max(sides) == (7, 7) and min(min(s) for s in sides) == 4
    assert {top for top, *_ in found} == set(range(27))


def test_erased_parts_are_filled():
    mean = np.array([5, 6, 7], np.uint8)
    param = EraseParameter(prob=1, count=3, size=6)
    for fields, expected in (({}, [5, 6, 7]), ({"value": [9]}, [9, 9, 9]), ({"value": [1, 2, 3]}, [1, 2, 3])):
        filled = EraseParameter(prob=1, count=3, size=6, **fields)
        found = erase.applied(filled, Draws(1, "d", 4), IMAGE, mean)
        rectangles = list(erase.drawn(param, Draws(1, "d", 4).of("erase"), 21, 26))
        assert len(rectangles) == 3
        inside = np.zeros((21, 26), bool)
        for top, left, bottom, right in rectangles:
            inside[top:bottom, left:right] = True
        assert (found[:, inside] == np.array(expected)[:, None]).all()
        assert np.array_equal(found[:, ~inside], IMAGE[:, ~inside])
    rough = erase.applied(EraseParameter(prob=1, size=20, noise=True), Draws(1, "d", 4), np.zeros_like(IMAGE), mean)
    assert len(np.unique(rough)) > 100
    assert erase.applied(EraseParameter(prob=0), Draws(1, "d", 4), IMAGE, mean) is IMAGE
